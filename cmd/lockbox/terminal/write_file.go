package terminal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// writeFile writes a file that only this user can read. If the write fails, a regular file keeps its old text, and no
// new file appears. If replace is false, writeFile returns an error for an existing path. If replace is true, writeFile
// works like > in a shell. A regular file gets the new text. If the path is a symbolic link, the target of the link
// gets the new text. If the path is a device or a named pipe, the text is written into it.
func writeFile(ctx context.Context, path string, text []byte, replace bool) error {
	// Lstat also finds a dangling link, which must not be replaced silently.
	_, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return replaceFile(path, text)
	case err != nil:
		return err
	case !replace:
		return &usageError{fmt.Errorf("%s already exists: use --force to replace it", path)}
	}
	existing, err := os.Stat(path)
	switch {
	case err != nil:
		return fmt.Errorf("cannot follow the link: %w", err)
	case existing.IsDir():
		return &usageError{fmt.Errorf("%s is a directory: name a file in it", path)}
	case !existing.Mode().IsRegular():
		return writeInto(ctx, path, text)
	}
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	return replaceFile(target, text)
}

// replaceFile writes a temporary file and renames it. The temporary file is in the same directory, because a rename
// works only within one file system.
func replaceFile(path string, text []byte) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), ".lockbox-*") // creates it with mode 0600
	if err != nil {
		return err
	}
	// After a failure, remove the temporary file, because it may contain secrets.
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name())
		}
	}()
	_, err = file.Write(text)
	// If the disk is full, Write, Sync or Close reports the error.
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

// writeInto writes to an existing device or named pipe. If ctx ends, it returns immediately. The write may still be
// blocked at that time, for example by a named pipe without a reader. This is harmless, because the program ends soon
// afterwards.
func writeInto(ctx context.Context, path string, text []byte) error {
	done := make(chan error, 1)
	go func() {
		file, err := os.OpenFile(path, os.O_WRONLY, 0) //nolint:gosec // the user names the file
		if err != nil {
			done <- err
			return
		}
		_, err = file.Write(text)
		done <- errors.Join(err, file.Close())
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
