package domain_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
)

// TestRoomCoversWhatIsStored writes versions of changing sizes and compares the reservation with the stored versions.
func TestRoomCoversWhatIsStored(t *testing.T) {
	t.Parallel()
	for _, keep := range []int{0, 1, 2, 3, 10} {
		for _, sizes := range [][]int{{100}, {1, 5000, 100}, {70000, 10}, {524288}, {0}, {1, 2, 4, 16, 4096, 99999}} {
			var room domain.Room
			var stored []int
			reservations := 0
			for version := uint64(8); version < 108; version++ { // version numbers can continue after deleted versions
				size := sizes[int(version)%len(sizes)]
				if !room.Covers(size, version, keep) {
					largest := 0
					for _, each := range stored {
						largest = max(largest, each)
					}
					room = domain.Reserve(len(stored), largest, size, version, keep)
					reservations++
					require.True(t, room.Covers(size, version, keep))
				}
				if stored = append(stored, size); keep > 0 && len(stored) > keep {
					stored = stored[1:]
				}
				var total, largest int64
				for _, each := range stored {
					total += domain.VersionBytes(each)
					largest = max(largest, domain.VersionBytes(each))
				}
				require.LessOrEqual(t, total, room.Bytes(), "keep %d, version %d", keep, version)
				if len(sizes) == 1 {
					require.LessOrEqual(t, float64(room.Bytes()), max(2.5*float64(total), domain.SmallRoom))
				}
			}
			// The number of slots doubles with each reservation, and each new largest size causes at most one more
			// reservation.
			require.LessOrEqual(t, reservations, int(math.Log2(128))+len(sizes), "keep %d, %v", keep, sizes)
		}
	}
}

func TestRoomAfterASettingChanged(t *testing.T) {
	t.Parallel()
	room := domain.Reserve(9, 5000, 5000, 10, 10)
	require.True(t, room.Covers(5000, 1000, 10), "each write deletes a version")
	require.False(t, room.Covers(5000, 11, 20), "more versions are kept than have room")
	require.False(t, room.Covers(5000, 11, 0))
	require.True(t, room.Covers(5000, 11, 5))
	require.False(t, room.Covers(6000, 11, 10), "the value is larger than the slots")
	require.False(t, domain.Room{}.Covers(0, 1, 1), "nothing is reserved")
}
