package migrate

import (
	"context"
	"fmt"
)

// DownTo reverts every step that is newer than the given version. This deletes the data in the tables and columns that
// those steps have added. If the schema is older than the given version, DownTo changes nothing. Version 0 is the empty
// schema. DownTo returns an error and changes nothing if the program does not know the given version or the current
// version of the schema.
func (m *Migrator) DownTo(ctx context.Context, version uint) error {
	if version != 0 {
		if _, err := m.indexOf(version); err != nil {
			return fmt.Errorf("there is no migration %06d; the newest is %06d", version, m.newest())
		}
	}
	return m.run(ctx, func(current uint, apply func(n int, s step) error) (bool, error) {
		if current <= version {
			return true, nil
		}
		i, err := m.indexOf(current)
		if err != nil {
			return true, err
		}
		return false, apply(-1, m.steps[i])
	})
}
