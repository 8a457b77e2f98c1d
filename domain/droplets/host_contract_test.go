package droplets_test

import (
	"testing"

	"github.com/lockbox-go/lockbox/tests/contracts"
)

// TestHostContract runs the suite of ports.DropletHost over the host in memory.
func TestHostContract(t *testing.T) {
	t.Parallel()
	contracts.DropletHost(t, func(*testing.T) contracts.DropletHostFixture {
		return contracts.DropletHostFixture{Host: &host{}, Prefix: "droplet", Image: "image"}
	})
}
