package domain

import "math/bits"

// Room is the storage that a box reserves for the versions of one entry. The size that Bytes returns counts against the
// limit of the box.
//
// A reservation is larger than the stored versions. Most writes therefore fit into the reservation. A write that fits
// does not change the count of the box. Writers of different entries therefore do not wait for each other. In return,
// the count is higher than the number of stored bytes. If all versions of an entry have the same size, the reservation
// is at most SmallRoom or two and a half times the stored bytes, whichever is more. If the sizes differ, the largest
// version determines the size of every slot. The stored versions never exceed the reservation.
type Room struct {
	// SlotBytes is the maximum size of a version, as VersionBytes counts it.
	SlotBytes int64
	// Slots is the number of versions that fit into the reservation.
	Slots int
	// The field Until is the number of the last version that fits into the reservation if no older version is deleted.
	Until uint64
}

// versionOverhead is the number of bytes that the database stores for a version in addition to its value: for the
// envelope, the row and the index entries.
const versionOverhead = 256

// SmallRoom is a size in bytes. If all the versions that an entry may keep fit into this size, room for all of them is
// reserved at once. With the default settings, a box that has the maximum number of entries has room for one SmallRoom
// per entry.
const SmallRoom = 16 << 10

// VersionBytes returns the number of bytes that a version counts against the limit of its box. The size argument is the
// length of the sealed value.
func VersionBytes(size int) int64 { return int64(size) + versionOverhead }

// Bytes returns the size of the reservation.
func (r Room) Bytes() int64 { return r.SlotBytes * int64(r.Slots) }

// Covers reports whether a new version fits into the reservation. The size argument is the length of the sealed value,
// and the version argument is the number of the new version. The keep argument is the number of versions that are kept;
// 0 means that all versions are kept.
func (r Room) Covers(size int, version uint64, keep int) bool {
	return VersionBytes(size) <= r.SlotBytes && (keep > 0 && r.Slots >= keep || version <= r.Until)
}

// Reserve returns the reservation for an entry that receives a new version. The argument "stored" is the number of
// versions that are stored already. The argument "largest" is the length of the largest sealed value in these versions.
// The other arguments have the same meaning as for Covers.
//
// The number of slots is the larger of two numbers: the number of versions that fit into SmallRoom, and the number of
// versions to be stored, rounded up to a power of two. It is at least 2. If keep is not 0, the number of slots is at
// most keep. Usually, there are more slots than versions, so most writes need no new reservation.
func Reserve(stored, largest, size int, version uint64, keep int) Room {
	slot := roundUp(VersionBytes(max(size, largest)))
	versions := stored + 1
	if keep > 0 {
		versions = min(versions, keep) // the write deletes the others
	}
	slots := max(2, 1<<bits.Len(uint(versions-1)), int(SmallRoom/slot)) // the next power of two
	if keep > 0 {
		slots = min(slots, keep)
	}
	return Room{
		SlotBytes: slot,
		Slots:     slots,
		Until:     version + uint64(slots-versions), //nolint:gosec // there are at least as many slots as versions
	}
}

// roundUp rounds n up, so that a value may grow a little without a new reservation. The step is a quarter of the
// largest power of two that is at most n. The result is at most a quarter larger than n.
func roundUp(n int64) int64 {
	step := int64(1) << max(0, bits.Len64(uint64(n))-3) //nolint:gosec // a size is positive
	return (n + step - 1) / step * step
}
