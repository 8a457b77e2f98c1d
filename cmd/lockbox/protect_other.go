//go:build !linux

package main

// protectMemory has an effect only on Linux. It does nothing on this system.
func protectMemory() {}
