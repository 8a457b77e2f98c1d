//go:build e2e && linux

package e2e

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/tests/engine"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// testLogLimit verifies that the container of each droplet has a limit for its log.
func testLogLimit(t *testing.T, y *yard) {
	for name, limit := range map[string]string{"droplet": "5242880", "small": "32768"} {
		service := y
		if name != "droplet" {
			service = openYardOn(t, y.engine, pgtest.New(t), "DROPLET_PREFIX="+name, "DROPLET_LOG_SIZE=64k")
		}
		list := service.manager.droplets("POST", "/add", nil)
		var log struct {
			Type   string
			Config map[string]string
		}
		text := y.engine.Docker("inspect", "-f", "{{json .HostConfig.LogConfig}}", list[0].Name)
		require.NoError(t, json.Unmarshal([]byte(text), &log))
		require.Equal(t, "json-file", log.Type)
		require.Equal(t, map[string]string{"max-file": "2", "max-size": limit}, log.Config)
	}
	// Docker deletes old output if the log of a container is larger than its limit.
	y.engine.Docker("run", "-d", "--name", "loud", "--log-driver=json-file", "--log-opt=max-file=2",
		"--log-opt=max-size=32768", engine.Image, "loud")
	size := func() int { return len(y.engine.Docker("logs", "loud")) }
	ended := func() bool { return y.engine.Docker("inspect", "-f", "{{.State.Running}}", "loud") == "false" }
	require.Eventually(t, ended, 20*time.Second, 100*time.Millisecond)
	require.Greater(t, size(), 8<<10)
	require.Less(t, size(), 64<<10)
}
