package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/golang-migrate/migrate/v4"
	"github.com/golang-migrate/migrate/v4/source"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/jackc/pgx/v5"
)

// mostLostRaces bounds how often a migrator starts over because another one was faster. Every lost race is a step
// that someone else made, so only programs that migrate up and down against each other can come near it.
const mostLostRaces = 100

// linePerVersion splits a version, NNNNNN, into the release line and the step within it.
const linePerVersion = 1000

// Migrator moves a database's schema from step to step. Any number of them may work on one database at once: each
// step is made by one of them, whole or not at all, whatever becomes of the program meanwhile.
type Migrator struct {
	config *pgx.ConnConfig
	source fs.FS
	steps  []step // oldest first
}

type step struct {
	version uint
	name    string
}

func (s step) String() string { return fmt.Sprintf("%06d_%s", s.version, s.name) }

// NewMigrator reads which steps there are; it does not connect. Each is a pair of files at the root of source,
// NNNNNN_name.up.sql and NNNNNN_name.down.sql. The tables live in the first schema of the search_path in effect:
// the URL's, or else what the server sets for the role and the database.
func NewMigrator(databaseURL string, source fs.FS) (*Migrator, error) {
	config, err := pgx.ParseConfig(databaseURL)
	if err != nil {
		// The parser's own words may quote the URL, and a password that broke the parsing with it.
		return nil, errors.New(
			"the database URL is malformed (a password's special characters must be percent-encoded)")
	}
	steps, err := readSteps(source)
	if err != nil {
		return nil, err
	}
	return &Migrator{config: config, source: source, steps: steps}, nil
}

func readSteps(files fs.FS) ([]step, error) {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, fmt.Errorf("read the migrations: %w", err)
	}
	names := map[uint]map[source.Direction]string{}
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".sql") {
			continue
		}
		file, err := source.DefaultParse(entry.Name())
		if err != nil {
			return nil, fmt.Errorf("migration file %s: its name must be NNNNNN_name.up.sql or .down.sql", entry.Name())
		}
		if names[file.Version] == nil {
			names[file.Version] = map[source.Direction]string{}
		}
		if other, taken := names[file.Version][file.Direction]; taken {
			return nil, fmt.Errorf("migration %06d is both %s and %s", file.Version, other, file.Identifier)
		}
		names[file.Version][file.Direction] = file.Identifier
	}
	var steps []step
	for version, pair := range names {
		up, there := pair[source.Up]
		if down, both := pair[source.Down]; !there || !both || up != down || version == 0 {
			return nil, fmt.Errorf("migration %06d needs a number above zero, and files up and down of one name",
				version)
		}
		steps = append(steps, step{version: version, name: up})
	}
	if len(steps) == 0 {
		return nil, errors.New("there are no migrations")
	}
	slices.SortFunc(steps, func(a, b step) int { return cmp.Compare(a.version, b.version) })
	return steps, nil
}

// Up makes every step that is missing. A schema newer than the program is left as it is if [CheckSchema] accepts it.
// After an error the database stands at a whole step: the one before the failed one, or, where a COMMIT went
// unanswered, possibly that one; Up may be called again.
func (m *Migrator) Up(ctx context.Context) error {
	return m.work(ctx, func(at uint, run func(n int, s step) error) (bool, error) {
		if err := CheckSchema(at, m.newest()); err != nil || at >= m.newest() {
			return true, err
		}
		next := 0
		if at > 0 {
			here, err := m.indexOf(at)
			if err != nil {
				return true, err
			}
			next = here + 1
		}
		return false, run(+1, m.steps[next])
	})
}

// Down takes back the given number of steps, counted from where the schema stands when it is called, and stops early
// at the empty schema. It takes the data of those steps with it.
func (m *Migrator) Down(ctx context.Context, steps int) error {
	if steps < 1 {
		return fmt.Errorf("the number of steps down must be at least 1, not %d", steps)
	}
	const unknown = -2
	target := unknown
	return m.work(ctx, func(at uint, run func(n int, s step) error) (bool, error) {
		if at == 0 {
			return true, nil
		}
		here, err := m.indexOf(at)
		if err != nil {
			return true, err
		}
		if target == unknown {
			target = max(here-steps, -1)
		}
		if here <= target {
			return true, nil
		}
		return false, run(-1, m.steps[here])
	})
}

// Version tells at which step the database stands, zero for none, and the newest step that the program knows.
func (m *Migrator) Version(ctx context.Context) (current, newest uint, err error) {
	err = m.connected(ctx, func(d *migrationDriver) error {
		current, err = d.load()
		if errors.Is(err, errNoVersion) {
			return nil
		}
		return err
	})
	return current, m.newest(), err
}

// CheckSchema tells whether a program whose newest step is known may serve a database that stands at current. A
// newer schema of the same release line only adds to what the program knows; one of a later line may not.
func CheckSchema(current, newest uint) error {
	if current <= newest || current/linePerVersion == newest/linePerVersion {
		return nil
	}
	return fmt.Errorf("the database's schema is at %06d, of release line %03d, and this program knows up to %06d, of "+
		"line %03d: run a program of line %03d", current, current/linePerVersion, newest, newest/linePerVersion,
		current/linePerVersion)
}

func (m *Migrator) newest() uint { return m.steps[len(m.steps)-1].version }

func (m *Migrator) indexOf(version uint) (int, error) {
	i := slices.IndexFunc(m.steps, func(s step) bool { return s.version == version })
	if i < 0 {
		return 0, fmt.Errorf("the database's schema is at %06d, a step that this program, which knows up to %06d, does "+
			"not have", version, m.newest())
	}
	return i, nil
}

// work calls decide with the version in the database until it is done. decide runs at most one step: golang-migrate
// reads ahead, and what it has read of further steps would never be let go if the first one failed.
func (m *Migrator) work(ctx context.Context, decide func(at uint, run func(int, step) error) (bool, error)) error {
	return m.connected(ctx, func(d *migrationDriver) error {
		files, err := iofs.New(m.source, ".")
		if err != nil {
			return err
		}
		runner, err := migrate.NewWithInstance("files", files, "lockbox", d)
		if err != nil {
			return err
		}
		run := func(n int, s step) error {
			if err := runner.Steps(n); err != nil {
				return fmt.Errorf("migration %s %s: %w", s, map[int]string{1: "up", -1: "down"}[n], err)
			}
			return nil
		}
		for lost := 0; ; {
			at, err := d.loadOrCreate()
			if err != nil {
				return err
			}
			done, err := decide(at, run)
			if errors.Is(err, errMoved) && lost < mostLostRaces {
				lost++
				continue
			}
			if err != nil || done {
				return err
			}
		}
	})
}

// connected gives a driver over a connection of its own.
func (m *Migrator) connected(ctx context.Context, use func(*migrationDriver) error) error {
	driver := &migrationDriver{ctx: ctx}
	config := m.config.Copy()
	config.OnNotice = driver.notice
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("connect to migrate: %w", err)
	}
	driver.conn = conn
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
		defer cancel()
		_ = conn.Close(closing)
		select {
		// After a cancellation pgx first has the server give up the statement.
		case <-conn.PgConn().CleanupDone():
		case <-closing.Done():
		}
	}()
	if err := driver.prepare(); err != nil {
		return fmt.Errorf("prepare to migrate: %w", err)
	}
	return use(driver)
}
