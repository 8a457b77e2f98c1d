package live

import (
	"bytes"
	"sync"
)

// Log is an in-memory log. It is safe for concurrent use.
type Log struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

// Write appends to the log. It implements io.Writer and never fails.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.Write(p)
}

// String returns the log so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.String()
}
