// Package rounds decides how often a concurrency test repeats its race. A few rounds detect a missing lock. Only many
// rounds detect an order of events that is rare.
package rounds

import (
	"os"
	"strconv"
)

// Variable is the name of an environment variable. It contains the number of rounds for the concurrency tests in
// tests/e2e. `make e2e` sets the variable, and `make test` does not.
const Variable = "LOCKBOX_TEST_ROUNDS"

// Choose returns its first argument under `make test`, and its second argument under `make e2e`.
func Choose(few, many int) int {
	if os.Getenv(Variable) != "" {
		return many
	}
	return few
}

// Configured returns the number of rounds in the environment variable. If the variable is not set, Configured returns
// its argument.
func Configured(few int) int {
	if n, err := strconv.Atoi(os.Getenv(Variable)); err == nil && n > 0 {
		return n
	}
	return few
}
