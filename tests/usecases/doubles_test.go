package usecases

import (
	"testing"

	"github.com/lockbox-go/lockbox/tests/contracts"
)

// TestContracts runs the conformance suites of ports.Clock and ports.Passwords on the test doubles.
func TestContracts(t *testing.T) {
	t.Parallel()
	contracts.Clock(t, newClock())
	contracts.Passwords(t, &Passwords{})
}
