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

// reservePorts keeps Linux from giving ports of droplets, which lie where it finds those of outgoing connections, to other
// tests. Where the kernel's settings cannot be written, one in some hundred runs may meet a port that is taken.
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
