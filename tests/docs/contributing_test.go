package docs

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ruleRow matches a row of the table that names a rule, the files that contain the rule, and the declarations in these
// files.
var ruleRow = regexp.MustCompile("(?m)^\\| .+ \\| (`[a-z/_]+\\.go`(?:, `[a-z/_]+\\.go`)*) \\| (.+) \\|$")

// TestRulesAreInTheirFiles verifies the table "Where a rule is" in CONTRIBUTING.md: the files in each row must contain
// the declarations in the row.
func TestRulesAreInTheirFiles(t *testing.T) {
	t.Parallel()
	rules := ruleRow.FindAllStringSubmatch(page(t, "CONTRIBUTING.md"), -1)
	require.Greater(t, len(rules), 30)
	for _, rule := range rules {
		var source strings.Builder
		for path := range strings.SplitSeq(strings.ReplaceAll(rule[1], "`", ""), ", ") {
			text, err := os.ReadFile(root + "/" + path)
			assert.NoError(t, err)
			source.Write(text)
		}
		for name := range strings.SplitSeq(strings.ReplaceAll(rule[2], "`", ""), ", ") {
			declared := regexp.MustCompile(`(?m)^(func (\([^)]+\) )?` + name + `(\[.*?\])?\(|(const |var |\t)?` + name +
				`\s.*=)`)
			assert.True(t, declared.MatchString(source.String()), "%s is not declared in %s", name, rule[1])
		}
	}
}
