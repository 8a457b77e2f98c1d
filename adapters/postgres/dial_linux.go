package postgres

import (
	"syscall"
	"time"
)

// tcpUserTimeout is the socket option TCP_USER_TIMEOUT, which package syscall does not name.
const tcpUserTimeout = 18

// limitUnacknowledged makes the operating system close a connection whose sent data is not acknowledged in the time in
// which keepalives detect a dead server. Keepalives are not sent while data is unacknowledged; without this option,
// retransmissions continue for about 15 minutes.
func limitUnacknowledged(network, _ string, conn syscall.RawConn) error {
	if network == "unix" {
		return nil
	}
	limit := keepaliveIdle + keepaliveCount*keepaliveInterval
	return conn.Control(func(fd uintptr) {
		// An old kernel may refuse the option, which only shortens the detection.
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(limit/time.Millisecond))
	})
}
