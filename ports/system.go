package ports

import "time"

// Clock returns the current time in UTC, truncated to microseconds, which is the resolution of PostgreSQL. Tests
// implement it with a clock that they set.
type Clock interface{ Now() time.Time }

// IDs generates identifiers: UUIDs version 7 (RFC 9562), whose time prefix keeps new rows adjacent in their index.
// Tests implement it with a counter.
type IDs interface{ New() [16]byte }
