package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// On Linux, the functions below read /proc. On other systems, their results are zero.

// ticks is the number of clock ticks per second in /proc/…/stat. It is the same on every architecture that Go supports.
const ticks = 100

// statOf returns the third and all later fields of /proc/PID/stat. The manual page proc(5) describes them.
func statOf(pid int) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	// The second field is the program's name in brackets and may contain any character.
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

// cpuOf returns the CPU seconds of a process.
func cpuOf(pid int) float64 {
	stat := statOf(pid)
	return float64(field(stat, fieldUser)+field(stat, fieldSystem)) / ticks
}

// cpuOfTree returns the CPU seconds of a process and its children, including children that have exited.
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

// peakMemory returns the peak resident memory of a process in MB.
func peakMemory(pid int) float64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return kilobytes(string(text), "VmHWM:") / 1024
}

// kilobytes returns the number of kilobytes in a line such as "VmHWM: 1234 kB". name is the first word of the line. If
// no line begins with name, kilobytes returns 0.
func kilobytes(text, name string) float64 {
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == name {
			number, _ := strconv.ParseFloat(fields[1], 64)
			return number
		}
	}
	return 0
}
