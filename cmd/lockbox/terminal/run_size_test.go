//go:build unix

package terminal

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestExplainSize checks that the message contains the limit and the name of the largest variable or argument. It also
// checks that the message contains no value.
func TestExplainSize(t *testing.T) {
	t.Parallel()
	value := strings.Repeat("canary", 20)
	for want, test := range map[string]struct {
		command, environment []string
		limit                limits
	}{
		"the variable BIG has 125 bytes, and this system permits 100 in one variable or argument": {
			[]string{"true"}, []string{"A=1", "BIG=" + value, "B=2"}, limits{single: 100, total: 1000}},
		"argument 1 has 121 bytes, and this system permits 100 in one variable or argument": {
			[]string{"true", value}, []string{"A=1"}, limits{single: 100, total: 1000}},
		"the variables and arguments have 158 bytes together, and this system permits about 150; the largest is the " +
			"variable BIG with 125 bytes": {
			[]string{"true"}, []string{"A=1", "BIG=" + value}, limits{single: 1000, total: 150}},
		"the variables and arguments have 158 bytes together, more than this system permits (getconf ARG_MAX); the " +
			"largest is the variable BIG with 125 bytes": {
			[]string{"true"}, []string{"A=1", "BIG=" + value}, limits{}},
	} {
		got := explainSize(test.command, test.environment, test.limit)
		assert.Equal(t, want, got)
		assert.NotContains(t, got, "canary")
	}
	assert.Positive(t, sizeLimits().total+sizeLimits().single)
}
