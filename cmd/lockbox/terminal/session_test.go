//go:build unix

package terminal

import (
	"context"
	"io"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestCtrlCCancelsWaiting checks that Ctrl-C cancels two waits: the wait for data on standard input, and the wait for a
// key command that does not end.
func TestCtrlCCancelsWaiting(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	silent, writer, err := os.Pipe()
	require.NoError(t, err)
	defer writer.Close()
	time.AfterFunc(50*time.Millisecond, stop)

	_, err = readAll((&session{in: silent}).input(ctx), "standard input")
	require.ErrorIs(t, err, context.Canceled)
	assert.True(t, Quiet(err))
	assert.Equal(t, 130, ExitCode(err))

	ctx, stop = context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, stop)
	started := time.Now()
	_, err = runKeyCommand(ctx, "sleep 5; true")
	assert.Equal(t, 130, ExitCode(err))
	assert.Less(t, time.Since(started), 4*time.Second)
}

// TestInputIsUnchanged checks that the cancellable reader returns a megabyte unchanged.
func TestInputIsUnchanged(t *testing.T) {
	t.Parallel()
	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	text := make([]byte, 1<<20)
	for i := range text {
		text[i] = byte(i * 7)
	}
	go func() {
		_, _ = writer.Write(text)
		_ = writer.Close()
	}()
	got, err := io.ReadAll((&session{in: reader}).input(t.Context()))
	require.NoError(t, err)
	assert.Equal(t, text, got)
}
