//go:build e2e && linux

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestFailovers kills the primary of a cluster once and freezes it once. It does not check the length of outages,
// because other tests run on the machine at the same time. The command `make ha` checks them.
func TestFailovers(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for _, program := range []string{"tests/ha", "cmd/lockbox"} {
		build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o",
			filepath.Join(folder, filepath.Base(program)), "./"+program)
		build.Dir = "../.."
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		out, err := build.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, filepath.Join(folder, "ha"), "-program", filepath.Join(folder, "lockbox"),
		"-faults", "2", "-untimed", "-accounts", "4").CombinedOutput()
	t.Logf("%s", out)
	require.NoError(t, err)
}

// TestLongestGap verifies that longestGap returns the longest time between two events, and when it ended.
func TestLongestGap(t *testing.T) {
	t.Parallel()
	at := func(seconds int) time.Time { return time.Unix(int64(seconds), 0) }
	for name, c := range map[string]struct {
		events    []time.Time
		gap, ends int
	}{
		"no event":     {nil, 10, 10},
		"at the begin": {[]time.Time{at(6), at(7), at(9)}, 6, 6},
		"inside":       {[]time.Time{at(1), at(8), at(9)}, 7, 8},
		"at the end":   {[]time.Time{at(1), at(2)}, 8, 10},
	} {
		gap, end := longestGap(c.events, at(0), at(10))
		assert.Equal(t, time.Duration(c.gap)*time.Second, gap, name)
		assert.Equal(t, at(c.ends), end, name)
	}
}

// TestVerdict verifies that a verdict counts lost writes, writes that were stored twice, and stale reads.
func TestVerdict(t *testing.T) {
	t.Parallel()
	acknowledged := func(version, attempt int64) answered {
		return answered{version: version, attempt: attempt, ok: true}
	}
	for name, c := range map[string]struct {
		writes        []answered
		stored        map[int64]int64
		lost, doubled int
	}{
		"all stored":          {[]answered{acknowledged(1, 1), acknowledged(2, 2)}, map[int64]int64{1: 1, 2: 2}, 0, 0},
		"a missing version":   {[]answered{acknowledged(1, 1), acknowledged(2, 2)}, map[int64]int64{1: 1}, 1, 0},
		"another value":       {[]answered{acknowledged(1, 1)}, map[int64]int64{1: 7}, 1, 0},
		"stored twice":        {[]answered{acknowledged(1, 1)}, map[int64]int64{1: 1, 2: 1}, 0, 1},
		"not acknowledged":    {[]answered{{version: 0, attempt: 3}}, map[int64]int64{1: 1}, 0, 0},
		"unknown, but stored": {[]answered{{version: 0, attempt: 3}}, map[int64]int64{1: 3}, 0, 0},
	} {
		v := &verdict{}
		v.checkWrites(&stream{writes: c.writes}, c.stored)
		assert.Equal(t, [2]int{c.lost, c.doubled}, [2]int{v.Lost, v.Doubled}, name)
	}

	split := []result{
		{
			Fault:    "freeze primary",
			At:       time.Unix(10, 0),
			end:      time.Unix(20, 0),
			unfenced: true,
		},
		{Fault: "kill primary", At: time.Unix(30, 0), end: time.Unix(40, 0)},
	}
	v := &verdict{}
	for _, at := range []int64{15, 35, 50} {
		v.checkReads(&stream{stale: []answered{{server: &lockbox{}, begun: time.Unix(at, 0)}}}, split)
	}
	assert.Equal(t, [2]int{3, 1}, [2]int{v.Stale, v.StaleUnfenced})
}
