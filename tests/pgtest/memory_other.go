//go:build !linux

package pgtest

// memoryFolder returns "": only Linux has a folder in memory that is always there.
func memoryFolder() string { return "" }
