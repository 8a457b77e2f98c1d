package memory

import "golang.org/x/sys/unix"

// room is the free space that a run of the tests may need: the databases of the tests that run at once, at about 8 MiB
// each, and max_wal_size of write-ahead log. A run on two cores uses a fifth of it.
const room = 1 << 30

// Folder returns the folder, or "" where it is not held in memory, is not writable or has less than 1 GiB free.
func Folder() string {
	const dir = "/dev/shm"
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil || stat.Type != unix.TMPFS_MAGIC {
		return ""
	}
	if stat.Bavail*uint64(stat.Bsize) < room || unix.Access(dir, unix.W_OK) != nil {
		return ""
	}
	return dir
}
