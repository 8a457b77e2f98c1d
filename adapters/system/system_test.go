package system_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/system"
	"github.com/lockbox-go/lockbox/ports"
)

var (
	_ ports.Clock = system.Clock{}
	_ ports.IDs   = system.IDs{}
)

func TestClockIsUTCInMicroseconds(t *testing.T) {
	t.Parallel()
	before := time.Now().Add(-time.Microsecond)
	now := system.Clock{}.Now()
	require.Equal(t, time.UTC, now.Location())
	require.Zero(t, now.Nanosecond()%1000)
	require.False(t, now.Before(before.Truncate(time.Microsecond)))
	require.NotContains(t, now.String(), "m=", "a monotonic reading would make equal times differ")
}

func TestIDsAreVersion7AndSorted(t *testing.T) {
	t.Parallel()
	var last [16]byte
	for range 1000 {
		id := system.IDs{}.New()
		require.Equal(t, uuid.Version(7), uuid.UUID(id).Version())
		require.Equal(t, uuid.RFC4122, uuid.UUID(id).Variant())
		require.Positive(t, bytes.Compare(id[:], last[:]))
		last = id
	}
}
