package system_test

import (
	"testing"

	"github.com/lockbox-go/lockbox/adapters/system"
	"github.com/lockbox-go/lockbox/tests/contracts"
)

// TestContracts runs the conformance suites of ports.Clock and ports.IDs.
func TestContracts(t *testing.T) {
	t.Parallel()
	contracts.Clock(t, system.Clock{})
	contracts.IDs(t, system.IDs{})
}
