package droplets_test

import (
	"testing"

	"github.com/lockbox-go/lockbox/tests/contracts"
)

// TestHostContract runs the conformance suite of ports.DropletHost on the simulated host.
func TestHostContract(t *testing.T) {
	t.Parallel()
	contracts.DropletHost(t, func(*testing.T) contracts.DropletHostFixture {
		return contracts.DropletHostFixture{Host: &host{}, Prefix: "droplet", Image: "image"}
	})
}
