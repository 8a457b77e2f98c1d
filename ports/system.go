package ports

import "time"

// Clock returns the current time in UTC. The time is truncated to microseconds, the resolution of PostgreSQL. Tests
// implement it with a clock that they set.
type Clock interface{ Now() time.Time }

// IDs generates identifiers. They are UUIDs version 7 (RFC 9562). Such a UUID begins with the time, so new rows are
// adjacent in their index. Tests implement it with a counter.
type IDs interface{ New() [16]byte }
