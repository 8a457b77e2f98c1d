//go:build unix

package httpapi

import (
	"net"
	"syscall"
)

// wasReset reports whether the peer has reset a TCP connection. After the peer has sent a FIN, every read returns EOF,
// so a read cannot detect a later reset. The operating system reports a reset only once.
func wasReset(conn net.Conn) bool {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return false
	}
	reason := 0
	err = raw.Control(func(fd uintptr) {
		reason, _ = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_ERROR)
	})
	return err == nil && reason != 0
}
