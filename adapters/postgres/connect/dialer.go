package connect

import (
	"net"
	"time"
)

const (
	// keepaliveIdle, keepaliveInterval and keepaliveCount make the operating system detect a dead server within half a
	// minute. After that time, even a statement without a time limit fails.
	keepaliveIdle     = 15 * time.Second
	keepaliveInterval = 5 * time.Second
	keepaliveCount    = 3
)

// NewDialer returns a dialer for connections to the database.
func NewDialer() *net.Dialer {
	return &net.Dialer{
		Timeout: Timeout,
		KeepAliveConfig: net.KeepAliveConfig{
			Enable:   true,
			Idle:     keepaliveIdle,
			Interval: keepaliveInterval,
			Count:    keepaliveCount,
		},
		Control: limitUnacknowledged,
	}
}
