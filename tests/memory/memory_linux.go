package memory

import "golang.org/x/sys/unix"

// minFree is the free space, in bytes, that a test run may need. Several databases exist at the same time. Each of them
// needs about 8 MiB, and the write-ahead log needs space too.
const minFree = 1 << 30

// Folder returns /dev/shm. It returns "" if /dev/shm is not a tmpfs, is not writable, or has less than 1 GiB of free
// space.
func Folder() string {
	const dir = "/dev/shm"
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil || stat.Type != unix.TMPFS_MAGIC {
		return ""
	}
	if stat.Bavail*uint64(stat.Bsize) < minFree || unix.Access(dir, unix.W_OK) != nil {
		return ""
	}
	return dir
}
