//go:build !linux

package main

// protectMemory does nothing on this system. On Linux it keeps secrets out of core dumps.
func protectMemory() {}
