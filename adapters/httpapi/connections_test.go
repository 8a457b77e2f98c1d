package httpapi

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fakeConn is a connection from a given address. It records whether it was closed.
type fakeConn struct {
	net.Conn
	address string
	closed  bool
}

func (c *fakeConn) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.ParseIP(c.address), Port: 1}
}

func (c *fakeConn) Close() error {
	c.closed = true
	return nil
}

// state describes a connection in a test and what its handlers wait for.
type state struct {
	address                   string
	handlers, bodies, readers int
}

// TestVictims verifies which connection is closed when a new connection arrives and no place is free. The connections
// are opened in the order of the list.
func TestVictims(t *testing.T) {
	t.Parallel()
	const stranger, other, third, fourth, fifth = "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"
	idle := func(address string) state { return state{address: address} }
	body := func(address string) state { return state{address: address, handlers: 1, bodies: 1} }
	reader := func(address string) state { return state{address: address, handlers: 1, readers: 1} }
	busy := func(address string) state { return state{address: address, handlers: 2, bodies: 1} }
	for name, test := range map[string]struct {
		open     []state
		newcomer string
		victim   int // -1: the new connection is refused
		// If fresh is true, the connections have waited for less than replaceAfter.
		fresh bool
	}{
		"the oldest idle one": {
			open:     []state{idle(stranger), idle(other), idle(third), idle(fourth)},
			newcomer: fifth,
			victim:   0,
		},
		"idle before bodies": {
			open:     []state{body(stranger), reader(other), idle(third), busy(fourth)},
			newcomer: fifth,
			victim:   2,
		},
		"bodies before readers": {
			open:     []state{reader(stranger), body(other), busy(third), busy(fourth)},
			newcomer: fifth,
			victim:   1,
		},
		"readers before none": {
			open:     []state{busy(stranger), busy(other), busy(third), reader(fourth)},
			newcomer: fifth,
			victim:   3,
		},
		"never one that works": {
			open:     []state{busy(stranger), busy(other), busy(third), busy(fourth)},
			newcomer: fifth,
			victim:   -1,
		},
		"a flood closes its own": {
			open:     []state{idle(other), body(stranger), body(stranger), body(stranger)},
			newcomer: stranger,
			victim:   1,
		},
		"also for others": {
			open:     []state{idle(other), body(stranger), body(stranger), body(stranger)},
			newcomer: third,
			victim:   1,
		},
		"a fast flood is refused": {
			open:     []state{idle(other), body(stranger), body(stranger), body(stranger)},
			newcomer: stranger,
			victim:   -1,
			fresh:    true,
		},
		"a flood that works gets no more": {
			open:     []state{idle(other), busy(stranger), busy(stranger), busy(stranger)},
			newcomer: stranger,
			victim:   -1,
		},
		"others do": {
			open:     []state{idle(other), busy(stranger), busy(stranger), busy(stranger)},
			newcomer: third,
			victim:   0,
		},
		"a network of IPv6 is one group": {
			open:     []state{idle(other), idle("2001:db8::1"), idle("2001:db8::2"), idle("2001:db8::3")},
			newcomer: third,
			victim:   1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := newConnections(Bounds{Connections: 4, Requests: 1})
			conns := make([]*fakeConn, len(test.open))
			begin := time.Now().Add(-time.Hour)
			for i, each := range test.open {
				conns[i] = &fakeConn{address: each.address}
				bound := all.add(conns[i])
				bound.change(each.handlers, each.bodies, each.readers, begin)
				bound.since = begin.Add(time.Duration(i) * time.Second)
			}
			if test.fresh {
				for conn := range all.open {
					conn.since = time.Now()
				}
			}
			added := all.add(&fakeConn{address: test.newcomer})
			require.Equal(t, test.victim < 0, added == nil)
			for i, conn := range conns {
				require.Equal(t, i == test.victim, conn.closed, "connection %d", i)
			}
			require.Equal(t, 4, all.count())
		})
	}
}

// TestHandlersAreBounded starts more handlers than the limit allows. It verifies that the connection with the most
// stalled handlers is closed.
func TestHandlersAreBounded(t *testing.T) {
	t.Parallel()
	all := newConnections(Bounds{Connections: 2, Requests: 2})
	stalled, working := &fakeConn{address: "192.0.2.1"}, &fakeConn{address: "192.0.2.2"}
	all.add(stalled).change(2, 2, 0, time.Now())
	all.add(working).change(3, 0, 0, time.Now())
	for range 4 {
		require.True(t, all.enter())
	}
	require.False(t, stalled.closed)
	require.True(t, all.enter(), "one more runs in place of the stalled ones")
	require.True(t, stalled.closed)
	require.False(t, working.closed)
	require.False(t, all.enter(), "no stalled handler is left")
}

// TestClosedConnectionsMakeRoom verifies that closing a connection frees its place, and that closing it again does not
// free a second place.
func TestClosedConnectionsMakeRoom(t *testing.T) {
	t.Parallel()
	all := newConnections(Bounds{Connections: 3, Requests: 1})
	first := all.add(&fakeConn{address: "192.0.2.1"})
	all.add(&fakeConn{address: "192.0.2.1"})
	require.NoError(t, first.Close())
	require.NoError(t, first.Close())
	require.Equal(t, 1, all.count())
	require.Equal(t, map[string]int{"192.0.2.1": 1}, all.groups)
}

// TestNewBounds verifies the documented numbers, and that all bounds together leave at least 15 % of the memory free.
func TestNewBounds(t *testing.T) {
	t.Parallel()
	for memory, want := range map[int64]Bounds{
		64 << 20:  {204, 102, 25, 25, 8 << 20, 64 << 20 / 10},
		256 << 20: {819, 409, 102, 102, 32 << 20, 256 << 20 / 10},
		1 << 30:   {3276, 1638, 409, 409, 128 << 20, 1 << 30 / 10},
	} {
		got := NewBounds(memory)
		require.Equal(t, want, got, memory)
		all := int64(got.Connections)*memoryPerConnection + int64(got.Requests*3/2)*memoryPerRequest + got.BodyBytes +
			2*got.AnswerBytes
		require.Less(t, all, memory*85/100)
	}
}
