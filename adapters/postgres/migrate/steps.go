package migrate

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/golang-migrate/migrate/v4/source"
)

// step is one migration: a pair of files, one to apply it and one to revert it.
type step struct {
	version uint
	name    string
}

// String returns the name of the files without their suffixes.
func (s step) String() string { return fmt.Sprintf("%06d_%s", s.version, s.name) }

// readSteps lists the steps in files, oldest first. Every step must have an up file and a down file with the same name,
// and a unique version above zero. Files that do not end in .sql are ignored.
func readSteps(files fs.FS) ([]step, error) {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, fmt.Errorf("read the migrations: %w", err)
	}
	// names maps the version and the direction of each file to the name of the migration.
	names := map[uint]map[source.Direction]string{}
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".sql") {
			continue
		}
		// golang-migrate reads the same files later, so readSteps parses file names with the function of
		// golang-migrate.
		file, err := source.DefaultParse(entry.Name())
		if err != nil {
			return nil, fmt.Errorf("migration file %s: its name must be NNNNNN_name.up.sql or .down.sql", entry.Name())
		}
		if names[file.Version] == nil {
			names[file.Version] = map[source.Direction]string{}
		}
		if other, taken := names[file.Version][file.Direction]; taken {
			return nil, fmt.Errorf("migration %06d has two names: %s and %s", file.Version, other, file.Identifier)
		}
		names[file.Version][file.Direction] = file.Identifier
	}
	var steps []step
	for version, pair := range names {
		up, hasUp := pair[source.Up]
		if down, hasDown := pair[source.Down]; !hasUp || !hasDown || up != down || version == 0 {
			return nil, fmt.Errorf("migration %06d is invalid: its number must be above zero, "+
				"and its up and down files must have the same name", version)
		}
		steps = append(steps, step{version: version, name: up})
	}
	if len(steps) == 0 {
		return nil, errors.New("no migrations were found")
	}
	slices.SortFunc(steps, func(a, b step) int { return cmp.Compare(a.version, b.version) })
	return steps, nil
}
