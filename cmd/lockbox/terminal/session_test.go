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

// TestCtrlCEndsWaiting for a standard input that nobody writes to, and for a command that does not end.
func TestCtrlCEndsWaiting(t *testing.T) {
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
	begun := time.Now()
	_, err = fromCommand(ctx, "sleep 5; true")
	assert.Equal(t, 130, ExitCode(err))
	assert.Less(t, time.Since(begun), 4*time.Second)
}

func TestInputIsReadToTheByte(t *testing.T) {
	t.Parallel()
	from, to, err := os.Pipe()
	require.NoError(t, err)
	text := make([]byte, 1<<20)
	for i := range text {
		text[i] = byte(i * 7)
	}
	go func() {
		_, _ = to.Write(text)
		_ = to.Close()
	}()
	got, err := io.ReadAll((&session{in: from}).input(t.Context()))
	require.NoError(t, err)
	assert.Equal(t, text, got)
}
