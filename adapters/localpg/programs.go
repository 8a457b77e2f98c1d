package localpg

import (
	"context"
	"path/filepath"
)

// ProgramDirs returns the folders in which this package looks for the programs of PostgreSQL. It lists the folders in
// PATH first, then the folder that pg_config reports, then the folders of the distributions' packages. Some may not
// exist.
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
