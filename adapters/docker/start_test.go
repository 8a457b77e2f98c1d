package docker

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// TestPortConflicts verifies that Start recognizes the engine's errors about a port that is in use, and that it does
// not mistake other errors for them.
func TestPortConflicts(t *testing.T) {
	t.Parallel()
	const failed = "driver failed programming external connectivity on endpoint x (0f0f): "
	for reason, want := range map[string]bool{
		failed + "Bind for 127.0.0.1:8001 failed: port is already allocated":                       true,
		failed + "userland proxy: listen tcp4 127.0.0.1:8001: bind: address already in use":        true,
		failed + "failed to bind host port 0.0.0.0:2201/tcp: address already in use":               true,
		"container networking: " + failed + "Bind for :::2201 failed: port is already allocated\n": true,
		"rootlessport listen tcp 0.0.0.0:2201: bind: address already in use":                       true,
		"Address already in use":       false,
		"no space left on device":      false,
		"No such container: droplet01": false,
		`exec: "port is already allocated": executable file not found in $PATH: unknown`:       false,
		`exec: "/a:1 address already in use": stat /a:1: no such file or directory`:            false,
		failed + "Unable to enable DNAT rule: (iptables failed: --dport 8001 -j DNAT: exit 1)": false,
	} {
		for _, status := range []int{400, 409, 500} {
			host, _ := hostile(t, func(w http.ResponseWriter, write func(string) bool) {
				w.WriteHeader(status)
				write(reason)
			})
			err := host.Start(t.Context(), someContainer)
			require.Error(t, err)
			require.ErrorContains(t, err, strings.TrimSpace(reason))
			require.NotErrorIs(t, err, domain.Unavailable, reason)
			if want {
				require.ErrorIs(t, err, ports.ErrPortTaken, reason)
			} else {
				require.NotErrorIs(t, err, ports.ErrPortTaken, reason)
			}
		}
	}
}
