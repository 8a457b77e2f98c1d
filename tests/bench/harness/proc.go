package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// What the kernel counts is read from /proc, as Linux has it. Elsewhere the figures are 0.

// ticks is the unit of /proc/…/stat, which is the same on all architectures that Go runs on.
const ticks = 100

// statOf returns the fields of /proc/PID/stat from the third on, as proc(5) numbers them.
func statOf(pid int) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	// The second is the program's name in brackets, with whatever in it.
	_, rest, found := strings.Cut(string(text[strings.LastIndexByte(string(text), ')'):]), " ")
	if !found {
		return nil
	}
	return strings.Fields(rest)
}

func field(stat []string, number int) int {
	if len(stat) <= number-3 {
		return 0
	}
	value, _ := strconv.Atoi(stat[number-3])
	return value
}

const (
	fieldParent  = 4
	fieldUser    = 14
	fieldSystem  = 15
	fieldReaped  = 16 // user time of children that have ended
	fieldReapedS = 17
)

func parentOf(pid int) int { return field(statOf(pid), fieldParent) }

// cpuOf is the seconds that a process has used.
func cpuOf(pid int) float64 {
	stat := statOf(pid)
	return float64(field(stat, fieldUser)+field(stat, fieldSystem)) / ticks
}

// cpuOfTree is the seconds that a process, its children, and those that it had have used.
func cpuOfTree(pid int) float64 {
	stat := statOf(pid)
	used := float64(field(stat, fieldUser)+field(stat, fieldSystem)+field(stat, fieldReaped)+
		field(stat, fieldReapedS)) / ticks
	processes, _ := filepath.Glob("/proc/[0-9]*")
	for _, each := range processes {
		child, _ := strconv.Atoi(filepath.Base(each))
		if parentOf(child) == pid {
			used += cpuOf(child)
		}
	}
	return used
}

// peakMemory is the most memory that a process ever had, in MB.
func peakMemory(pid int) float64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return kilobytes(string(text), "VmHWM:") / 1024
}

// kilobytes finds a line that ends in kB.
func kilobytes(text, name string) float64 {
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == name {
			number, _ := strconv.ParseFloat(fields[1], 64)
			return number
		}
	}
	return 0
}
