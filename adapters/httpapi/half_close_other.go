//go:build !unix

package httpapi

import "net"

// wasReset returns false: only failed writes show that a client has left.
func wasReset(net.Conn) bool { return false }
