package passwords

import (
	"testing"

	"github.com/lockbox-go/lockbox/tests/contracts"
)

// TestContract runs the conformance suite of ports.Passwords.
func TestContract(t *testing.T) {
	t.Parallel()
	h, _ := hasher(t, cheap)
	contracts.Passwords(t, h)
}
