package httpapi

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// countingConn counts how often an answeringConn sets a deadline on the connection that it wraps.
type countingConn struct {
	net.Conn
	reads, writes int
}

func (c *countingConn) SetReadDeadline(to time.Time) error {
	c.reads++
	return c.Conn.SetReadDeadline(to)
}

func (c *countingConn) SetWriteDeadline(to time.Time) error {
	c.writes++
	return c.Conn.SetWriteDeadline(to)
}

// newDeadlineConn returns a connection, the countingConn that it wraps, and its peer. The peer reads and writes only if
// the test calls its methods.
func newDeadlineConn(t *testing.T) (conn *answeringConn, below *countingConn, peer net.Conn) {
	t.Helper()
	near, far := net.Pipe()
	t.Cleanup(func() {
		require.NoError(t, near.Close())
		require.NoError(t, far.Close())
	})
	below = &countingConn{Conn: near}
	return &answeringConn{Conn: below}, below, far
}

// deadlineCalls contains reads and writes that block. Each of these calls is listed with the method that sets its
// deadline.
var deadlineCalls = map[string]struct {
	call func(c *answeringConn) error
	set  func(c *answeringConn, to time.Time) error
}{
	"read": {
		func(c *answeringConn) error { _, err := c.Read(make([]byte, 1)); return err },
		(*answeringConn).SetReadDeadline,
	},
	"write": {
		func(c *answeringConn) error { _, err := c.Write([]byte("x")); return err },
		(*answeringConn).SetWriteDeadline,
	},
	"read with both deadlines": {
		func(c *answeringConn) error { _, err := c.Read(make([]byte, 1)); return err },
		(*answeringConn).SetDeadline,
	},
	"write with both deadlines": {
		func(c *answeringConn) error { _, err := c.Write([]byte("x")); return err },
		(*answeringConn).SetDeadline,
	},
}

// TestDeadlines verifies that a deadline ends a call that begins later, and a call that is in progress.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	for name, test := range deadlineCalls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, _, _ := newDeadlineConn(t)
			require.NoError(t, test.set(conn, time.Now().Add(time.Hour)))
			require.NoError(t, test.set(conn, time.Now().Add(10*time.Millisecond)))
			require.ErrorIs(t, test.call(conn), os.ErrDeadlineExceeded)
			require.NoError(t, test.set(conn, time.Unix(1, 0)))
			require.ErrorIs(t, test.call(conn), os.ErrDeadlineExceeded)

			require.NoError(t, test.set(conn, time.Time{}))
			ended := make(chan error, 1)
			go func() { ended <- test.call(conn) }()
			require.Eventually(t, func() bool { return inProgress(conn) == 1 }, 10*time.Second, time.Millisecond)
			require.NoError(t, test.set(conn, time.Now().Add(time.Hour)))
			select {
			case err := <-ended:
				t.Fatal("the call ended before its deadline", err)
			case <-time.After(20 * time.Millisecond):
			}
			require.NoError(t, test.set(conn, time.Unix(1, 0)))
			require.ErrorIs(t, <-ended, os.ErrDeadlineExceeded)
			require.Zero(t, inProgress(conn))
		})
	}
}

// inProgress returns the number of calls in progress.
func inProgress(conn *answeringConn) int {
	conn.mu.Lock()
	defer conn.mu.Unlock()
	return conn.reads.calls + conn.writes.calls
}

// TestReplacedDeadlinesAreNotApplied verifies that only the last deadline before a call is set on the wrapped
// connection.
func TestReplacedDeadlinesAreNotApplied(t *testing.T) {
	t.Parallel()
	conn, below, peer := newDeadlineConn(t)
	for i := range 9 {
		require.NoError(t, conn.SetDeadline(time.Now().Add(time.Duration(i+1)*time.Hour)))
	}
	require.Zero(t, below.reads+below.writes)
	answered := make(chan error, 1)
	go func() {
		_, err := peer.Read(make([]byte, 1))
		_, second := peer.Write([]byte("y"))
		answered <- errors.Join(err, second)
	}()
	_, err := conn.Write([]byte("x"))
	require.NoError(t, err)
	_, err = conn.Read(make([]byte, 1))
	require.NoError(t, err)
	require.NoError(t, <-answered)
	require.Equal(t, []int{1, 1}, []int{below.reads, below.writes})
}
