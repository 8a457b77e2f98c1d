//go:build e2e

package provide

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// excepted contains govulncheck's report of the vulnerabilities that scripts/vuln-exceptions accepts.
const excepted = `{"osv":{"id":"GO-2026-6872","summary":"a"}}{"osv":{"id":"GO-2026-6875","summary":"b"}}
{"finding":{"osv":"GO-2026-6872","trace":[{"module":"e","version":"v4.0.0","function":"New"},
{"package":"p","function":"f"}]}}
{"finding":{"osv":"GO-2026-6875","trace":[{"module":"e","version":"v4.0.0","function":"New"},
{"package":"p","function":"f"}]}}
`

// TestVuln verifies that scripts/vuln fails if the code calls a vulnerable function, or if an exception is no longer
// needed. The script must succeed if the code imports a vulnerable package but calls no vulnerable function of that
// package.
func TestVuln(t *testing.T) {
	t.Parallel()
	const summary = `{"osv":{"id":"GO-2000-0001","summary":"Panic in Parse"}}`
	for name, c := range map[string]struct{ report, want string }{
		"nothing": {excepted, ""},
		"imported": {excepted + summary +
			`{"finding":{"osv":"GO-2000-0001","trace":[{"module":"m","version":"v1.0.0"}]}}`, ""},
		"reached": {excepted + summary + `{"finding":{"osv":"GO-2000-0001","fixed_version":"v1.2.3","trace":[` +
			`{"module":"m","version":"v1.0.0","function":"Parse"},{"package":"our/code","function":"read"}]}}`,
			"GO-2000-0001 in m@v1.0.0 (fixed in: v1.2.3): Panic in Parse; reached from our/code.read"},
		"old exception": {summary, "GO-2026-6875 is no longer reported: remove it from scripts/vuln-exceptions"},
	} {
		m := newMachine(t, "")
		m.write("govulncheck", "#!/bin/sh\ncat <<'END'\n"+c.report+"\nEND\n")
		out, err := exec.CommandContext(t.Context(), "/bin/sh", "../../scripts/vuln", m.bin+"/govulncheck",
			t.TempDir()).CombinedOutput()
		if c.want == "" {
			require.NoError(t, err, "%s: %s", name, out)
			continue
		}
		require.Error(t, err, name)
		assert.Contains(t, string(out), c.want, name)
	}
}
