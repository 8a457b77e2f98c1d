package docs

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestRulesAreWhereTheyAreSaidToBe searches for each name in the table of CONTRIBUTING.md in the file named in the same
// row.
func TestRulesAreWhereTheyAreSaidToBe(t *testing.T) {
	t.Parallel()
	rules := regexp.MustCompile("(?m)^\\| .+ \\| `([a-z/_]+\\.go)` \\| (.+) \\|$").FindAllStringSubmatch(page(t,
		"CONTRIBUTING.md"), -1)
	require.NotEmpty(t, rules)
	for _, rule := range rules {
		source, err := os.ReadFile(root + "/" + rule[1])
		if !assert.NoError(t, err) {
			continue
		}
		for name := range strings.SplitSeq(strings.ReplaceAll(rule[2], "`", ""), ", ") {
			declared := regexp.MustCompile(`(?m)^(func (\([^)]+\) )?` + name + `\(|(const |var |\t)?` + name + `\s.*=)`)
			assert.Regexp(t, declared, string(source), rule[1])
		}
	}
}
