// Package migrate upgrades and downgrades the database schema.
//
// It runs golang-migrate with its own driver, which applies a migration and changes the version row in one transaction;
// see driver.
package migrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/golang-migrate/migrate/v4"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/jackc/pgx/v5"

	"github.com/lockbox-go/lockbox/adapters/postgres/connect"
)

const (
	// maxConflicts is the number of conflicts with other migrators after which a call gives up. A conflict means that
	// another program has completed a step. If all programs migrate in the same direction, a call has at most one
	// conflict for each step. The limit is far higher than the number of steps, so only programs that migrate in
	// opposite directions can reach it.
	maxConflicts = 100
	// versionsPerLine is the number of versions in a release line. A version has six digits. The first three digits are
	// the number of the release line. The other three digits are the number of the step in that line.
	versionsPerLine = 1000
	// lockPatience is how long a migrator retries a step while another transaction holds a lock that the step needs.
	// lockPause is the time between two tries. During a pause, the statements that were waiting behind the step can
	// run.
	lockPatience = 5 * time.Minute
	lockPause    = time.Second
	// closeTimeout bounds how long a finished migrator waits for its connection to close.
	closeTimeout = 15 * time.Second
)

// Migrator moves a database schema from step to step. Several migrators may work on one database concurrently. Each
// step is applied by only one migrator. A step is applied entirely or not at all, even if the program is killed.
type Migrator struct {
	config *pgx.ConnConfig
	files  fs.FS
	steps  []step // oldest first
	// watchInterval equals the constant watchInterval. Tests set a shorter time.
	watchInterval time.Duration
}

// New reads the available steps; it does not connect. Each step consists of two files in the root directory of files,
// NNNNNN_name.up.sql and NNNNNN_name.down.sql. The tables are created in the first schema of the search_path. If the
// URL does not set a search_path, the setting of the role or the database applies. Errors never contain the password.
func New(databaseURL string, files fs.FS) (*Migrator, error) {
	config, err := connect.ParseURL(databaseURL)
	if err != nil {
		return nil, err
	}
	steps, err := readSteps(files)
	if err != nil {
		return nil, err
	}
	return &Migrator{
		config:        config,
		files:         files,
		steps:         steps,
		watchInterval: watchInterval,
	}, nil
}

// Up applies every missing step. If the schema is newer than the program, Up changes nothing and returns the result of
// [CheckSchema].
//
// After an error, the database is at the version before the failed step. However, if the connection failed during
// COMMIT, the step may have been applied. The caller may always call Up again.
func (m *Migrator) Up(ctx context.Context) error {
	return m.run(ctx, func(current uint, apply func(n int, s step) error) (bool, error) {
		if err := CheckSchema(current, m.newest()); err != nil || current >= m.newest() {
			return true, err
		}
		next := 0
		if current > 0 {
			i, err := m.indexOf(current)
			if err != nil {
				return true, err
			}
			next = i + 1
		}
		return false, apply(+1, m.steps[next])
	})
}

// Down reverts the given number of steps, beginning with the newest step in the database. If there are fewer steps,
// Down reverts them all. This deletes the data in the tables and columns that those steps have added.
func (m *Migrator) Down(ctx context.Context, steps int) error {
	if steps < 1 {
		return fmt.Errorf("the number of steps down must be at least 1, but it is %d", steps)
	}
	const unknown = -2
	target := unknown
	return m.run(ctx, func(current uint, apply func(n int, s step) error) (bool, error) {
		if current == 0 {
			return true, nil
		}
		i, err := m.indexOf(current)
		if err != nil {
			return true, err
		}
		if target == unknown {
			target = max(i-steps, -1)
		}
		if i <= target {
			return true, nil
		}
		return false, apply(-1, m.steps[i])
	})
}

// Version returns the version of the database schema, or 0 if the database was never migrated. It also returns the
// newest version that the program knows. It changes nothing in the database.
func (m *Migrator) Version(ctx context.Context) (current, newest uint, err error) {
	err = m.connect(ctx, func(d *driver) error {
		current, err = d.load()
		if errors.Is(err, errNoVersion) {
			return nil
		}
		return err
	})
	return current, m.newest(), err
}

// CheckSchema returns nil if a program may serve a database. The argument current is the version of the database. The
// argument newest is the newest version that the program knows. Within a release line, newer versions only add to the
// schema. A later line may remove tables or columns that the program needs.
func CheckSchema(current, newest uint) error {
	if current <= newest || current/versionsPerLine == newest/versionsPerLine {
		return nil
	}
	return fmt.Errorf("the database schema is at version %06d of release line %03d, "+
		"but this program knows only versions up to %06d of release line %03d: use a program of release line %03d",
		current, current/versionsPerLine, newest, newest/versionsPerLine, current/versionsPerLine)
}

// newest returns the newest version that the program knows.
func (m *Migrator) newest() uint { return m.steps[len(m.steps)-1].version }

// indexOf returns the index of a version among the steps. It returns an error if the program does not know the version.
// A newer program of the same release line can have migrated the schema to such a version.
func (m *Migrator) indexOf(version uint) (int, error) {
	i := slices.IndexFunc(m.steps, func(s step) bool { return s.version == version })
	if i < 0 {
		return 0, fmt.Errorf("this program does not know version %06d of the database schema; "+
			"the newest version that it knows is %06d", version, m.newest())
	}
	return i, nil
}

// run repeatedly calls the function in the argument decide with the current version, until this function returns true.
// Each call of the function must apply at most one step. If it applied several steps, golang-migrate would open their
// files in advance, and after a failure would not close them.
func (m *Migrator) run(ctx context.Context,
	decide func(current uint, apply func(int, step) error) (done bool, err error)) error {
	return m.connect(ctx, func(d *driver) error {
		files, err := iofs.New(m.files, ".")
		if err != nil {
			return err
		}
		runner, err := migrate.NewWithInstance("files", files, "lockbox", d)
		if err != nil {
			return err
		}
		apply := func(n int, s step) error {
			if err := runner.Steps(n); err != nil {
				return fmt.Errorf("migration %s %s: %w", s, map[int]string{1: "up", -1: "down"}[n], err)
			}
			return nil
		}
		began := time.Now()
		for conflicts := 0; ; {
			current, err := d.loadOrCreate()
			if err != nil {
				return err
			}
			done, err := decide(current, apply)
			if errors.Is(err, errConflict) && conflicts < maxConflicts {
				conflicts++
				continue
			}
			if errors.Is(err, errLocked) && time.Since(began) < lockPatience && pause(d.ctx, lockPause) {
				continue
			}
			if err != nil || done {
				return err
			}
		}
	})
}

// pause waits for the given time. It returns false if ctx ends during this time.
func pause(ctx context.Context, wait time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(wait):
		return true
	}
}

// connect opens a connection, calls the function in the argument use with a driver on that connection, and then closes
// the connection. A step has no time limit, but connect cancels it if the server stops answering.
func (m *Migrator) connect(ctx context.Context, use func(*driver) error) (err error) {
	ctx, stop := m.watch(ctx)
	defer stop()
	defer func() {
		if err != nil && errors.Is(context.Cause(ctx), errHung) {
			err = errors.Join(errHung, err)
		}
	}()
	d := &driver{ctx: ctx}
	config := m.config.Copy()
	// Named prepared statements do not work through a pooler in transaction mode, and would not make migrations faster.
	config.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	config.OnNotice = d.onNotice
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("connect to migrate: %w", connect.ExplainRefusal(err))
	}
	d.conn = conn
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		_ = conn.Close(closing)
		select {
		// After a cancellation, pgx first requests that the server cancel the statement. It then closes the connection.
		case <-conn.PgConn().CleanupDone():
		case <-closing.Done():
		}
	}()
	if err := d.prepare(); err != nil {
		return fmt.Errorf("prepare to migrate: %w", err)
	}
	return use(d)
}
