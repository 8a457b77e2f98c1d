//go:build unix

package boot

import (
	"context"
	"errors"
	"fmt"

	"github.com/lockbox-go/lockbox/adapters/localpg"
)

// programDirs returns the folders that may contain the programs of PostgreSQL.
func programDirs(ctx context.Context) []string { return localpg.ProgramDirs(ctx) }

// startScratch starts a private PostgreSQL server with an empty database and returns its address. The function stop
// removes the server and the database. The role in the address owns the database but is not a superuser: an attacker
// may have added functions to the original database, and the restore runs them. With the rights of a superuser, such a
// function could run programs on this machine. If this program is killed, the server also stops, and its folder is
// removed.
func startScratch(ctx context.Context) (address string, stop func() error, err error) {
	server, err := localpg.Start(ctx, localpg.Config{})
	if err != nil {
		return "", nil, fmt.Errorf("cannot start a private PostgreSQL server; "+
			"name an empty database with --scratch-url-file instead: %w", err)
	}
	address, err = server.UnprivilegedDatabase(ctx, "scratch")
	if err != nil {
		return "", nil, errors.Join(err, server.Stop())
	}
	return address, server.Stop, nil
}
