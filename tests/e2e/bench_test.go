//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// harness runs a short benchmark. It returns the output of the benchmark program, and the path of the JSON file to
// which the program writes its figures.
func harness(t *testing.T, flags ...string) (said, figures string, err error) {
	t.Helper()
	dir := t.TempDir()
	program, figures := filepath.Join(dir, "harness"), filepath.Join(dir, "figures.json")
	build, err := exec.Command("go", "build", "-o", program, "../bench/harness").CombinedOutput()
	require.NoError(t, err, "%s", build)
	short := []string{"-boxes", "2", "-entries", "20", "-users", "8", "-connections", "8", "-rounds", "1", "-slice",
		"300ms", "-warm-up", "100ms",
		"-set", "KDF_MEMORY_KIB=64", "-set", "KDF_TIME=1", "-program", binary(t), "-output", figures}
	out, err := exec.CommandContext(t.Context(), program, append(short, flags...)...).CombinedOutput()
	return string(out), figures, err
}

// TestBenchmarkRuns verifies that the harness works. It checks no durations.
func TestBenchmarkRuns(t *testing.T) {
	t.Parallel()
	said, file, err := harness(t)
	require.NoError(t, err, "%s", said)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var figures struct {
		Scenarios []struct {
			Scenario string
			Requests int
			Failures int
			Ratio    float64 `json:"ratio_to_floor"`
			Database struct {
				Statements float64
				RoundTrips float64 `json:"round_trips"`
			} `json:"database_per_request"`
		}
		Machine struct {
			Settings map[string]string `json:"postgresql_settings"`
		}
	}
	require.NoError(t, json.Unmarshal(text, &figures))
	require.Equal(t, "on", figures.Machine.Settings["fsync"])
	require.Len(t, figures.Scenarios, 8)
	for _, each := range figures.Scenarios {
		require.Positive(t, each.Requests, each.Scenario)
		require.Zero(t, each.Failures, each.Scenario)
		require.Positive(t, each.Database.Statements, each.Scenario)
		require.Positive(t, each.Database.RoundTrips, each.Scenario)
		require.Equal(t, each.Scenario == "read" || each.Scenario == "write", each.Ratio > 0, each.Scenario)
	}
}

func TestBenchmarkFailsOnWrongAnswers(t *testing.T) {
	t.Parallel()
	for spoil, finds := range map[string]string{
		"values": `is at version \d+ instead of 1`,
		"record": `[1-9]\d* reads were answered and 0 were audited`,
	} {
		said, figures, err := harness(t, "-spoil", spoil, "-scenario", "read,write")
		require.Error(t, err, "%s", said)
		require.Contains(t, said, "answers were wrong")
		require.Regexp(t, finds, said)
		require.NoFileExists(t, figures, "figures that are worth nothing are not kept")
	}
}
