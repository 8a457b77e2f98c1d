//go:build !linux

package memory

// Folder returns "": other systems have no standard directory in memory.
func Folder() string { return "" }
