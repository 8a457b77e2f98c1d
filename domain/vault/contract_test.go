package vault_test

import (
	"testing"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/tests/contracts"
)

// TestContracts runs the conformance suites of ports.DropletVault and ports.DropletBox. The use cases of droplets call
// this package through these ports.
func TestContracts(t *testing.T) {
	t.Parallel()
	open := func(t *testing.T) contracts.DropletVaultFixture {
		b := newBox(t, domain.ReadEntry)
		return contracts.DropletVaultFixture{
			Vault:    b.Vault,
			Store:    b.Store,
			IDs:      b.IDs,
			Box:      "box",
			Manager:  b.owner,
			Reader:   b.member,
			Stranger: b.User("stranger", domain.Group{}),
		}
	}
	contracts.DropletVault(t, open)
	contracts.DropletBox(t, open)
}
