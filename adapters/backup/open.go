package backup

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// openRegular opens a file for reading. It returns an error for everything except a regular file, because opening or
// reading a named pipe or a device could block. A user who can write to the folder could put a named pipe or a device
// in place of the file.
func openRegular(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|noWait, 0) //nolint:gosec // the operator names the folder
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// HasDump reports whether the dump of a manifest is a regular file of the size that the manifest states. It does not
// read the dump.
func HasDump(manifestPath string, m Manifest) bool {
	info, err := os.Stat(filepath.Join(filepath.Dir(manifestPath), m.File))
	return err == nil && info.Mode().IsRegular() && info.Size() == m.Bytes
}

// Copy is a private copy of a dump whose size and hash were checked.
type Copy struct {
	file *os.File
	// The field named is true if the temporary file still has a name. Close must then delete the file. Open normally
	// deletes the name immediately, but some systems do not allow that for an open file.
	named bool
}

// Open copies the dump of an authentic manifest into a private temporary file and checks the size and hash of the copy.
// Restoring from the copy is safe even if a user who can write to the folder changes the dump after the check. The
// caller closes the copy, which deletes it.
func Open(manifestPath string, m Manifest) (*Copy, error) {
	path := filepath.Join(filepath.Dir(manifestPath), m.File)
	from, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = from.Close() }()                // opened for reading
	file, err := os.CreateTemp("", "lockbox-backup-*") // has mode 0600
	if err != nil {
		return nil, fmt.Errorf("copy the dump: %w", err)
	}
	dump := &Copy{file: file, named: os.Remove(file.Name()) != nil}
	if err := dump.fill(from, m); err != nil {
		return nil, errors.Join(fmt.Errorf("%s %w", path, err), dump.Close())
	}
	return dump, nil
}

// errDamaged is the second half of a message that begins with the path of a dump.
var errDamaged = errors.New("does not match the size and hash in its manifest: the dump is damaged or was changed")

// fill copies a dump, checks the copy, and then sets the file position of the copy to the beginning. fill reads at most
// one byte more than the size in the manifest.
func (c *Copy) fill(from io.Reader, m Manifest) error {
	sum := &counter{hash: sha256.New()}
	if _, err := io.Copy(io.MultiWriter(c.file, sum), io.LimitReader(from, m.Bytes+1)); err != nil {
		return fmt.Errorf("cannot be copied: %w", err)
	}
	if sum.bytes != m.Bytes || sum.String() != m.SHA256 {
		return errDamaged
	}
	_, err := c.file.Seek(0, io.SeekStart)
	return err
}

// Close deletes the copy.
func (c *Copy) Close() error {
	err := c.file.Close()
	if c.named {
		err = errors.Join(err, os.Remove(c.file.Name()))
	}
	return err
}

// Restore restores a dump in one transaction. The database must be empty, and the dump must come from Open. Restore
// runs all SQL in the dump with the privileges of the role in the database URL.
func (d Dumper) Restore(ctx context.Context, database string, m Manifest, dump *Copy) error {
	program, err := findTool(ctx, "pg_restore", m.PgDump, d.Dirs)
	if err != nil {
		return err
	}
	to, err := parseConnection(database)
	if err != nil {
		return err
	}
	return run(ctx, program, to, nil, dump.file, "--no-password", "--no-owner", "--no-privileges", "--no-comments",
		"--exit-on-error", "--single-transaction", "--dbname="+to.argument)
}
