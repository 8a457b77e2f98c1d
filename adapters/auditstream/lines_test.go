package auditstream

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// lines returns one event for each text.
func lines(texts ...string) [][]byte {
	list := make([][]byte, len(texts))
	for i, text := range texts {
		list[i] = []byte(text + "\n")
	}
	return list
}

// deliverAll delivers lines and requires success.
func deliverAll(t *testing.T, to Destination, texts ...string) {
	t.Helper()
	count, err := to.Deliver(t.Context(), lines(texts...))
	require.NoError(t, err)
	require.Equal(t, len(texts), count)
}

func requireFile(t *testing.T, path, want string) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, want, string(text))
}

// TestFileFollowsRotation renames, removes and truncates the file between deliveries, as logrotate does.
func TestFileFollowsRotation(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	file, err := OpenFile(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	deliverAll(t, file, "a", "b")
	requireFile(t, path, "a\nb\n")
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Zero(t, info.Mode().Perm()&0o027, "others cannot read names")

	require.NoError(t, os.Rename(path, path+".1"))
	deliverAll(t, file, "c")
	requireFile(t, path+".1", "a\nb\n")
	requireFile(t, path, "c\n")

	require.NoError(t, os.Remove(path))
	deliverAll(t, file, "d")
	requireFile(t, path, "d\n")

	require.NoError(t, os.Truncate(path, 0)) // logrotate with copytruncate
	deliverAll(t, file, "e")
	requireFile(t, path, "e\n")

	require.NoError(t, os.Rename(path, path+".2"))
	require.NoError(t, os.WriteFile(path, []byte("new\n"), 0o600)) // logrotate with create
	deliverAll(t, file, "f")
	requireFile(t, path, "new\nf\n")
}

// TestFileEndsABrokenLine opens a file whose last line was not completed, as after a crash or on a full disk.
func TestFileEndsABrokenLine(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		"":              "a\n",
		"whole\n":       "whole\na\n",
		"whole\nbro":    "whole\nbro\na\n",
		"only a broken": "only a broken\na\n",
	} {
		path := filepath.Join(t.TempDir(), "audit.jsonl")
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		file, err := OpenFile(path)
		require.NoError(t, err)
		deliverAll(t, file, "a")
		require.NoError(t, file.Close())
		requireFile(t, path, want)
	}
}

// TestFileThatCannotBeWritten verifies that a delivery reports 0 accepted lines while the folder of the file is
// missing, and that the next delivery succeeds after the test has created the folder again.
func TestFileThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	_, err := OpenFile(filepath.Join(t.TempDir(), "missing", "audit.jsonl"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = OpenFile(t.TempDir())
	require.Error(t, err)

	path := filepath.Join(t.TempDir(), "folder", "audit.jsonl")
	require.NoError(t, os.Mkdir(filepath.Dir(path), 0o700))
	file, err := OpenFile(path)
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(filepath.Dir(path)))
	count, err := file.Deliver(t.Context(), lines("a"))
	require.ErrorIs(t, err, os.ErrNotExist)
	require.Zero(t, count)
	require.NoError(t, os.Mkdir(filepath.Dir(path), 0o700))
	deliverAll(t, file, "a")
	require.NoError(t, file.Close())
	requireFile(t, path, "a\n")
}

// TestWriterDoesNotBlock fills a pipe that is not read. Deliver returns an error at its deadline. After the pipe has
// been read, Deliver accepts lines again.
func TestWriterDoesNotBlock(t *testing.T) {
	t.Parallel()
	read, write, err := os.Pipe()
	require.NoError(t, err)
	writer := NewWriter(write)
	large := string(make([]byte, 256<<10)) // more than a pipe holds
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	count, err := writer.Deliver(ctx, lines(large))
	require.ErrorIs(t, err, errBlocked)
	require.Zero(t, count)
	_, err = writer.Deliver(t.Context(), lines("a"))
	require.ErrorIs(t, err, errBlocked, "lines are not mixed")

	buffer := make([]byte, 64<<10)
	for total := 0; total < len(large)+1; {
		n, err := read.Read(buffer)
		require.NoError(t, err)
		total += n
	}
	require.Eventually(t, func() bool {
		count, err := writer.Deliver(t.Context(), lines("a", "b"))
		return err == nil && count == 2
	}, 10*time.Second, time.Millisecond)
	n, err := read.Read(buffer)
	require.NoError(t, err)
	require.Equal(t, "a\nb\n", string(buffer[:n]))
	require.NoError(t, read.Close())
	_, err = writer.Deliver(t.Context(), lines("c"))
	require.Error(t, err, "the pipe has no reader")
	require.NoError(t, writer.Close())
	require.NoError(t, write.Close())
}
