// Package rounds decides how often a test repeats a race. A few rounds detect a missing lock; many rounds detect rare
// orders of events.
package rounds

import (
	"os"
	"strconv"
)

// Variable is the environment variable with the number of rounds of the concurrency tests in tests/e2e. `make e2e` sets
// it; `make test` does not.
const Variable = "LOCKBOX_TEST_ROUNDS"

// Choose returns few for `make test` and many for `make e2e`.
func Choose(few, many int) int {
	if os.Getenv(Variable) != "" {
		return many
	}
	return few
}

// Configured returns the number of rounds in the environment variable, or few if the variable is not set.
func Configured(few int) int {
	if n, err := strconv.Atoi(os.Getenv(Variable)); err == nil && n > 0 {
		return n
	}
	return few
}
