//go:build !linux

package main

// protectMemory does nothing here; on Linux it keeps secrets out of core dumps.
func protectMemory() {}
