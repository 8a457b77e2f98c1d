//go:build e2e && linux

package contracts_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/docker"
	"github.com/lockbox-go/lockbox/tests/contracts"
	"github.com/lockbox-go/lockbox/tests/engine"
)

// TestDocker runs the conformance suite of ports.DropletHost against a Docker engine that the test starts.
func TestDocker(t *testing.T) {
	e := engine.Start(t, engine.NoBridge)
	e.BuildImages()
	contracts.DropletHost(t, func(t *testing.T) contracts.DropletHostFixture {
		host, err := docker.New(docker.Config{
			Address:      e.Host,
			Installation: "018f0000-0000-7000-8000-000000000001",
			Prefix:       "contract",
			Memory:       64 << 20,
			NanoCPUs:     500_000_000,
			LogBytes:     1 << 20,
		})
		require.NoError(t, err)
		t.Cleanup(func() {
			if containers := strings.Fields(e.Docker("ps", "-aq")); len(containers) > 0 {
				e.Docker(append([]string{"rm", "-f", "-v"}, containers...)...)
			}
			require.NoError(t, host.Close())
		})
		return contracts.DropletHostFixture{Host: host, Prefix: "contract", Image: engine.Image}
	})
}
