//go:build e2e && linux

package engine

import (
	"os"
	"strings"
	"testing"
)

const (
	reservedPorts = "/proc/sys/net/ipv4/ip_local_reserved_ports"
	dropletPorts  = "44301-44399"
)

// reservePorts reserves the ports of droplets until the test ends. These ports are in the range that Linux uses for
// outgoing connections. Without the reservation, a connection of another test could occupy one of the ports. If the
// test has no permission to write the kernel setting, it runs without the reservation. About one in several hundred of
// these runs fails, because a port is in use.
func reservePorts(t testing.TB) {
	before, err := os.ReadFile(reservedPorts)
	if err != nil || strings.Contains(string(before), dropletPorts) {
		return
	}
	with := strings.Trim(strings.TrimSpace(string(before))+","+dropletPorts, ",")
	if os.WriteFile(reservedPorts, []byte(with), 0o600) == nil {
		t.Cleanup(func() { _ = os.WriteFile(reservedPorts, before, 0o600) })
	}
}
