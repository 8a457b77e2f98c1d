// Package system is the clock and the source of identifiers of a real machine.
package system

import (
	"time"

	"github.com/google/uuid"
)

// Clock reads the machine's clock. It implements ports.Clock.
type Clock struct{}

// Now returns the time in UTC, cut to microseconds: what PostgreSQL keeps, so that a time that was stored and read
// again equals the one that was written. It carries no monotonic reading, for the same reason.
func (Clock) Now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// IDs makes UUIDs version 7 (RFC 9562, section 5.7). It implements ports.IDs and is safe for concurrent use; within
// one process later identifiers sort after earlier ones.
type IDs struct{}

// New returns a fresh identifier. It panics when the system has no randomness to give, since nothing can be done
// safely then; crypto/rand ends the process itself in that case.
func (IDs) New() [16]byte { return uuid.Must(uuid.NewV7()) }
