package localpg

import (
	"context"
	"path/filepath"
)

// ProgramDirs returns the folders in which this package looks for the programs of PostgreSQL: those in PATH, then the
// one that pg_config reports, then those of packages. Some may not exist.
func ProgramDirs(ctx context.Context) []string {
	dirs := preferredDirs(ctx)
	for _, pattern := range packageDirs {
		found, err := filepath.Glob(pattern)
		if err != nil {
			continue // Glob fails only for a malformed pattern
		}
		dirs = append(dirs, found...)
	}
	return dirs
}
