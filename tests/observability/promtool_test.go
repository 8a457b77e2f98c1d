//go:build e2e

package observability

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// promtool runs the program promtool, which is part of Prometheus. The test fails if promtool fails.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), "promtool", args...).CombinedOutput()
	require.NoError(t, err, "promtool %v: %s", args, output)
}

// TestPromtool runs the tests of the alert rules. It checks the syntax of the scrape configuration and of every query
// in the dashboard.
func TestPromtool(t *testing.T) {
	t.Parallel()
	promtool(t, "check", "rules", folder+"/alerts.yml")
	promtool(t, "test", "rules", folder+"/alerts_test.yml")
	promtool(t, "check", "config", folder+"/prometheus.yml")

	charts, err := panels()
	require.NoError(t, err)
	type rule struct {
		Record string `yaml:"record"`
		Expr   string `yaml:"expr"`
	}
	var rules []rule
	for _, chart := range charts {
		rules = append(rules, rule{"chart", chart.Expr})
	}
	text, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": rules}}})
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "dashboard.yml")
	require.NoError(t, os.WriteFile(path, text, 0o600))
	promtool(t, "check", "rules", "--lint=none", path)
}
