//go:build e2e && linux

package engine

import (
	"crypto/rand"
	"encoding/hex"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// These are the numbers of the ioctl requests that create and remove a bridge, from linux/sockios.h.
const (
	addBridgeCall    = 0x89a0 // SIOCBRADDBR
	removeBridgeCall = 0x89a1 // SIOCBRDELBR
)

// addBridge creates a network bridge and returns its name. The bridge is removed when the test ends. The bridge has no
// IP address yet: the engine that uses the bridge assigns one.
func addBridge(t testing.TB) string {
	t.Helper()
	random := make([]byte, 4)
	_, _ = rand.Read(random)
	name := "lbx" + hex.EncodeToString(random)
	require.NoError(t, bridgeCall(addBridgeCall, name))
	t.Cleanup(func() {
		setDown(name)
		assert.NoError(t, bridgeCall(removeBridgeCall, name))
	})
	return name
}

func bridgeCall(call uintptr, name string) error {
	text := append([]byte(name), 0)
	return interfaceCall(call, unsafe.Pointer(&text[0]))
}

// setDown sets the state of a network interface to "down". The kernel does not remove a bridge that is up.
func setDown(name string) {
	var request struct { // struct ifreq
		name  [syscall.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}
	copy(request.name[:], name)
	_ = interfaceCall(syscall.SIOCSIFFLAGS, unsafe.Pointer(&request))
}

func interfaceCall(call uintptr, argument unsafe.Pointer) error {
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = syscall.Close(socket) }()
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(socket), call, uintptr(argument)); errno != 0 {
		return errno
	}
	return nil
}
