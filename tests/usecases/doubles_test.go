package usecases

import (
	"testing"

	"github.com/lockbox-go/lockbox/tests/contracts"
)

// TestContracts runs the suites of the ports that the test doubles implement.
func TestContracts(t *testing.T) {
	t.Parallel()
	contracts.Clock(t, newClock())
	contracts.Passwords(t, &Passwords{})
}
