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

	"github.com/lockbox-go/lockbox/adapters/postgres"
)

const (
	// maxConflicts bounds how many conflicts with concurrent migrators one call tolerates. Each conflict means that
	// another program has completed a step. Only two programs that migrate in opposite directions can therefore reach
	// the bound.
	maxConflicts = 100
	// versionsPerLine is the number of versions in a release line. The first three digits of a version, NNNNNN, are the
	// release line, and the other three are the number of the step in that line.
	versionsPerLine = 1000
	// lockPatience is how long a migrator retries a step that needs locks which other transactions hold. lockPause is
	// the time between two tries. During this time, the statements that were waiting behind the step can run.
	lockPatience = 5 * time.Minute
	lockPause    = time.Second
	// closeTimeout bounds how long a finished migrator waits for its connection to close.
	closeTimeout = 15 * time.Second
)

// Migrator moves a database schema from step to step. Several migrators may work on one database concurrently. Each
// step is then applied by only one of them. A step is applied entirely or not at all, even if the program is killed.
type Migrator struct {
	config *pgx.ConnConfig
	files  fs.FS
	steps  []step // oldest first
	// watchInterval is the constant of the same name, except in tests.
	watchInterval time.Duration
}

// New reads the available steps; it does not connect. Each step consists of two files in the root directory of files,
// NNNNNN_name.up.sql and NNNNNN_name.down.sql. The tables are created in the first schema of the effective search_path:
// the search_path of the URL, or else the search_path that the server sets for the role and the database. Errors never
// contain the password.
func New(databaseURL string, files fs.FS) (*Migrator, error) {
	config, err := postgres.ParseURL(databaseURL)
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

// Up applies every missing step. If the schema is newer and [CheckSchema] accepts it, Up changes nothing.
//
// After an error, the database is at the version before the failed step. However, if the connection failed during
// COMMIT, that step may have been applied. In both cases, Up may be called again.
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

// Down reverts the given number of steps, counted from the version at the time of the call, and stops at the empty
// schema. This deletes the data in the tables and columns that those steps have added.
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

// Version returns the version of the database, or 0 if it has none. It also returns the newest version that the program
// knows. It changes nothing in the database.
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

// CheckSchema returns nil if a program that knows versions up to newest may serve a database at version current. Within
// a release line, newer versions only add to the schema. A later line may remove tables or columns that the program
// needs.
func CheckSchema(current, newest uint) error {
	if current <= newest || current/versionsPerLine == newest/versionsPerLine {
		return nil
	}
	return fmt.Errorf("the database schema is at version %06d of release line %03d, but this program knows versions "+
		"up to %06d of line %03d: run a program of line %03d",
		current, current/versionsPerLine, newest, newest/versionsPerLine, current/versionsPerLine)
}

// newest returns the newest version that the program knows.
func (m *Migrator) newest() uint { return m.steps[len(m.steps)-1].version }

// indexOf returns the index of a version among the steps. It returns an error if a newer program of the same release
// line has migrated the schema to a version that this program does not know.
func (m *Migrator) indexOf(version uint) (int, error) {
	i := slices.IndexFunc(m.steps, func(s step) bool { return s.version == version })
	if i < 0 {
		return 0, fmt.Errorf("this program does not know version %06d of the database schema; the newest version "+
			"that it knows is %06d", version, m.newest())
	}
	return i, nil
}

// run calls decide with the current version until decide returns true for done. Each call of decide must apply at most
// one step. For several steps, golang-migrate would open the files of the later steps in advance, and they would stay
// open if the first step failed.
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

// pause waits for the given time. It returns false if ctx ends first.
func pause(ctx context.Context, wait time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(wait):
		return true
	}
}

// connect opens a connection, calls the function use with a driver on that connection, and then closes the connection.
// A step has no time limit, but connect cancels it if the server stops answering.
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
	// Named prepared statements do not work through a pooler that changes sessions between transactions. Migrations
	// would gain nothing from them.
	config.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	config.OnNotice = d.onNotice
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("connect to migrate: %w", postgres.ExplainRefusal(err))
	}
	d.conn = conn
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		_ = conn.Close(closing)
		select {
		// After a cancellation, pgx requests that the server cancel the statement before it closes the connection.
		case <-conn.PgConn().CleanupDone():
		case <-closing.Done():
		}
	}()
	if err := d.prepare(); err != nil {
		return fmt.Errorf("prepare to migrate: %w", err)
	}
	return use(d)
}
