package auditstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

var (
	_ Destination = (*Writer)(nil)
	_ Destination = (*File)(nil)
	_ Destination = (*Webhook)(nil)
)

// errBlocked means that a write is blocked, because the program at the other end of a pipe does not read.
var errBlocked = errors.New("the pipe of the audit stream is full, because the receiving program does not read it")

// Writer writes events to an io.Writer such as standard output. If standard output is a pipe and the program at its
// other end does not read, a write can block.
type Writer struct {
	to   io.Writer
	busy sync.Mutex // held by the write that is running
}

// NewWriter returns a destination that writes to the given io.Writer.
func NewWriter(to io.Writer) *Writer { return &Writer{to: to} }

// Deliver writes all lines at once. A blocked write cannot be cancelled, so it continues after ctx has ended. Until
// that write ends, further calls of Deliver return an error and write nothing.
func (w *Writer) Deliver(ctx context.Context, lines [][]byte) (int, error) {
	if !w.busy.TryLock() {
		return 0, errBlocked
	}
	written := make(chan error, 1) // buffered, so that the write can end when nothing receives
	go func() {
		defer w.busy.Unlock()
		_, err := w.to.Write(bytes.Join(lines, nil))
		written <- err
	}()
	select {
	case err := <-written:
		return allOrNone(lines, err)
	case <-ctx.Done():
		return 0, errBlocked
	}
}

// allOrNone returns the results of Deliver after one write of all lines. If err is nil, all lines were accepted.
// Otherwise, none was accepted.
func allOrNone(lines [][]byte, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	return len(lines), nil
}

// Close does nothing, because the caller of NewWriter owns the io.Writer.
func (w *Writer) Close() error { return nil }

// File delivers to a file. Other programs, for example logrotate, may rename or truncate the file at any time.
type File struct {
	path string
	file *os.File
}

// OpenFile returns a destination that appends to a file. It creates a missing file with mode 0640, so that the file's
// group can read it.
func OpenFile(path string) (*File, error) {
	f := &File{path: path}
	return f, f.open()
}

// Deliver appends the lines and waits until they are on the disk. If the path no longer names the open file, Deliver
// first opens the file that the path names now.
func (f *File) Deliver(_ context.Context, lines [][]byte) (int, error) {
	if err := f.reopen(); err != nil {
		return 0, err
	}
	if _, err := f.file.Write(bytes.Join(lines, nil)); err != nil {
		// The failed write may have left an incomplete line. The file is therefore closed. The next delivery opens the
		// file again, and open ends the incomplete line.
		return 0, errors.Join(err, f.Close())
	}
	return allOrNone(lines, f.file.Sync())
}

// reopen opens the file at f.path unless that file is already open. If the path now names another file or no file,
// reopen closes the old file first.
func (f *File) reopen() error {
	if f.file == nil {
		return f.open()
	}
	current, err := os.Stat(f.path)
	if err == nil {
		var opened os.FileInfo
		if opened, err = f.file.Stat(); err == nil && os.SameFile(current, opened) {
			return nil
		}
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return errors.Join(f.Close(), f.open())
}

// open opens the file. If a crash has left an incomplete last line, open ends that line.
func (f *File) open() error {
	//nolint:gosec // the operator names the file; its group may read it
	file, err := os.OpenFile(f.path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return err
	}
	if err := endLine(file); err != nil {
		return errors.Join(err, file.Close())
	}
	f.file = file
	return nil
}

// endLine appends a line feed to a file whose last line has none.
func endLine(file *os.File) error {
	info, err := file.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", file.Name())
	}
	last := make([]byte, 1)
	if _, err := file.ReadAt(last, info.Size()-1); err != nil {
		return err
	}
	if last[0] == '\n' {
		return nil
	}
	_, err = file.WriteString("\n")
	return err
}

// Close closes the file. The next call of Deliver opens the file again.
func (f *File) Close() error {
	if f.file == nil {
		return nil
	}
	file := f.file
	f.file = nil
	return file.Close()
}
