//go:build !unix

package boot

import (
	"context"
	"errors"
	"log/slog"
)

// Dev exists only on Unix systems. Elsewhere NewDev always fails, so no method is ever called.
type Dev struct {
	*App
	URL       string
	InitToken string
}

// NewDev returns an error, because the private PostgreSQL of `lockbox dev` needs users, signals and locks of Unix.
func NewDev(context.Context, Config, *slog.Logger, string) (*Dev, error) {
	return nil, errors.New("lockbox dev needs Linux, macOS or BSD: on this system, set LOCKBOX_DATABASE_URL to a " +
		"PostgreSQL server and run lockbox serve")
}

// DataDir returns "".
func (*Dev) DataDir() string { return "" }

// Close does nothing.
func (*Dev) Close() error { return nil }
