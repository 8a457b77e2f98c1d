// Package system provides the machine's clock and a source of identifiers.
package system

import (
	"time"

	"github.com/google/uuid"
)

// Clock is the machine's clock. It implements ports.Clock.
type Clock struct{}

// Now returns the time in UTC, truncated to microseconds and without a monotonic reading. PostgreSQL has the same
// precision, so a time that was stored and read again is unchanged.
func (Clock) Now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// IDs generates UUIDs version 7 (RFC 9562, section 5.7). It implements ports.IDs and is safe for concurrent use. Within
// one process, identifiers sort in the order of their creation.
type IDs struct{}

// New returns a new identifier. It panics if the system's random source fails, because the program cannot continue
// safely.
func (IDs) New() [16]byte { return uuid.Must(uuid.NewV7()) }
