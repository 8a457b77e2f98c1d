//go:build !linux

package memory

// Folder returns "": only Linux has a folder in memory that is always there.
func Folder() string { return "" }
