//go:build !unix

package httpapi

import "net"

// wasReset always returns false on this operating system. Only a failed write shows that a client has left.
func wasReset(net.Conn) bool { return false }
