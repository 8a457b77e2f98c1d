//go:build !unix

package boot

import (
	"context"
	"errors"
	"os"
	"path/filepath"
)

// programDirs returns the folders that may contain the programs of PostgreSQL.
func programDirs(context.Context) []string { return filepath.SplitList(os.Getenv("PATH")) }

// startScratch returns an error, because a private server needs users, signals and locks of Unix.
func startScratch(context.Context) (address string, stop func() error, err error) {
	return "", nil, errors.New("on this system, name an empty database with --scratch-url-file")
}
