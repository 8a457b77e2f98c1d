package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// killDelay is the maximum wait for a program of PostgreSQL to exit after it was killed.
const killDelay = 5 * time.Second

// Dumper runs pg_dump and pg_restore.
type Dumper struct {
	// Dirs are the folders that may contain the programs, preferred ones first.
	Dirs []string
}

// Dump runs pg_dump on a snapshot of the database. It writes the dump to the folder dir, and sets the fields File,
// Bytes, SHA256 and PgDump of m. The caller must set m.PostgreSQL. The file gets its final name only when it is
// complete and on disk. Dump removes the partial file after every error, including the end of ctx.
func (d Dumper) Dump(ctx context.Context, database, snapshot, dir, name string, m *Manifest) error {
	program, err := findTool(ctx, "pg_dump", m.PostgreSQL, d.Dirs)
	if err != nil {
		return err
	}
	from, err := parseConnection(database)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, name+dumpSuffix)
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s exists already", path)
	}
	// The mode is 0600 from the start, because the dump contains names and ciphertext.
	file, err := os.OpenFile(path+partialSuffix, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // see above
	if err != nil {
		return err
	}
	sum := &counter{hash: sha256.New()}
	err = run(ctx, program, from, io.MultiWriter(file, sum), nil, "--format=custom", "--no-password",
		"--snapshot="+snapshot, "--dbname="+from.argument)
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	m.File, m.Bytes, m.SHA256, m.PgDump = filepath.Base(path), sum.bytes, sum.String(), program.major
	return nil
}

// counter counts the bytes that are written to it and computes their hash.
type counter struct {
	hash  hash.Hash
	bytes int64
}

// Write implements io.Writer. It never fails.
func (c *counter) Write(p []byte) (int, error) {
	c.bytes += int64(len(p))
	return c.hash.Write(p)
}

// String returns the hash in hexadecimal.
func (c *counter) String() string { return hex.EncodeToString(c.hash.Sum(nil)) }

// run runs a program to its end. If the program fails, the error contains the lines of standard error that the program
// marks as errors. It omits all other lines, because they may contain data, such as the row that caused the error.
func run(ctx context.Context, program tool, at connection, out io.Writer, in io.Reader, args ...string) error {
	var messages bytes.Buffer
	command := exec.CommandContext(ctx, program.path, args...) //nolint:gosec // the machine's PostgreSQL
	command.Env = environment(append(at.variables, "PGAPPNAME=lockbox backup"))
	command.Stdin, command.Stdout, command.Stderr = in, out, &messages
	command.WaitDelay = killDelay
	err := command.Run()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if _, failed := errors.AsType[*exec.ExitError](err); !failed {
		return err // nil, or why the program could not start or its output could not be written
	}
	var reasons []string
	name := strings.TrimSuffix(filepath.Base(program.path), ".exe")
	for line := range strings.Lines(messages.String()) {
		if reason, found := strings.CutPrefix(strings.TrimSpace(line), name+": error: "); found {
			reasons = append(reasons, reason)
		}
	}
	return fmt.Errorf("%s failed (%w): %s", name, err, strings.Join(reasons, "; "))
}
