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

// startScratch returns an error, because a private server needs the users, signals and file locks of a Unix system.
func startScratch(context.Context) (address string, stop func() error, err error) {
	return "", nil, errors.New("a private PostgreSQL server needs a Unix system; " +
		"name an empty database with --scratch-url-file")
}
