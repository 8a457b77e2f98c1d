//go:build !unix

package boot

import (
	"context"
	"errors"
	"log/slog"
)

// Dev exists only on Unix systems. On other systems, NewDev always returns an error, so no program calls the methods of
// Dev.
type Dev struct {
	*App
	URL       string
	InitToken string
}

// NewDev returns an error, because the private PostgreSQL of `lockbox dev` needs the users, signals and file locks of a
// Unix system.
func NewDev(context.Context, Config, *slog.Logger, string) (*Dev, error) {
	return nil, errors.New("lockbox dev needs Linux, macOS or BSD: " +
		"on this system, set LOCKBOX_DATABASE_URL to a PostgreSQL server and run lockbox serve")
}

// DataDir returns "".
func (*Dev) DataDir() string { return "" }

// Close does nothing.
func (*Dev) Close() error { return nil }
