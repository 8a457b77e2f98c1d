package ports

import "time"

// Clock tells the time in UTC. Values are cut to microseconds, which is what PostgreSQL keeps.
type Clock interface{ Now() time.Time }

// IDs makes identifiers: UUIDs version 7 (RFC 9562), so that new rows lie together in their index.
type IDs interface{ New() [16]byte }
