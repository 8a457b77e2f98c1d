package connect

import (
	"syscall"
	"time"
)

// tcpUserTimeout is the socket option TCP_USER_TIMEOUT, which package syscall does not name.
const tcpUserTimeout = 18

// limitUnacknowledged makes the operating system close a connection if sent data is not acknowledged in time.
// Keepalives do not detect this case, because none are sent while data is unacknowledged. Without this option,
// retransmissions would continue for about 15 minutes. The limit equals the time that keepalives need to detect a dead
// server.
func limitUnacknowledged(network, _ string, conn syscall.RawConn) error {
	if network == "unix" {
		return nil
	}
	limit := keepaliveIdle + keepaliveCount*keepaliveInterval
	return conn.Control(func(fd uintptr) {
		// An old kernel may refuse the option. The error is ignored, because the option only makes the detection
		// faster.
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(limit/time.Millisecond))
	})
}
