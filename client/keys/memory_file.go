package keys

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/lockbox-go/lockbox/client"
)

// load returns the current content.
func (m *Memory) load() (*known, error) {
	if m.dir == "" {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.known.clone()
	}
	return readKnown(m.path())
}

// clone returns a deep copy.
func (k *known) clone() (*known, error) {
	text, err := json.Marshal(k)
	if err != nil {
		return nil, err
	}
	var other known
	return &other, json.Unmarshal(text, &other)
}

func (m *Memory) path() string { return filepath.Join(m.dir, "known.json") }

func readKnown(path string) (*known, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the user's own file
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return &known{}, nil
	}
	var k known
	if err == nil {
		err = json.Unmarshal(text, &k)
	}
	if err != nil {
		// An unreadable memory must not count as an empty one, because a client with an empty memory accepts every
		// keyring.
		return nil, fault(client.ErrMemoryUnwritable, "cannot read the file "+path+": "+
			"this client stores the boxes and users that it knows in this file; "+
			"correct the permissions of the file, or restore the file from a backup", err)
	}
	return &k, nil
}

// change calls the given function under the lock and stores the result. It stores nothing if the function returns an
// error or changes nothing.
func (m *Memory) change(change func(*known) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dir == "" {
		next, err := m.known.clone()
		if err == nil {
			err = change(next)
		}
		if err == nil {
			m.known = *next
		}
		return err
	}
	// If nothing changes, do not write, because the directory may be read-only.
	before, err := readKnown(m.path())
	if err != nil {
		return err
	}
	if same, err := unchanged(before, change); err != nil || same {
		return err
	}
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		return m.unwritable(err)
	}
	unlock, err := lockFile(m.path() + ".lock")
	if err != nil {
		return m.unwritable(err)
	}
	defer unlock()
	k, err := readKnown(m.path()) // another process may have changed the file before the lock was acquired
	if err != nil {
		return err
	}
	if err := change(k); err != nil {
		return err
	}
	if err := writeFile(m.path(), k); err != nil {
		return m.unwritable(err)
	}
	return nil
}

// unchanged reports whether the content is the same before and after a change.
func unchanged(k *known, change func(*known) error) (bool, error) {
	before, err := json.Marshal(k)
	if err != nil {
		return false, err
	}
	next, err := k.clone()
	if err != nil {
		return false, err
	}
	if err := change(next); err != nil {
		return false, err
	}
	after, err := json.Marshal(next)
	return string(before) == string(after), err
}

func (m *Memory) unwritable(err error) error {
	return fault(client.ErrMemoryUnwritable, "cannot write to the directory "+m.dir+": "+
		"this client stores the boxes and users that it knows in this directory; "+
		"make the directory writable, "+
		"choose another directory with XDG_CONFIG_HOME, "+
		"or append the anchor of the box to the identity in LOCKBOX_IDENTITY (lbid1_…~lba1_…)", err)
}

// writeFile atomically replaces a file with the JSON form of a value.
func writeFile(path string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".known-*") // with mode 0600
	if err != nil {
		return err
	}
	_, err = file.Write(append(text, '\n'))
	// Without a sync, a crash after the rename could leave an empty file, and the memory would be lost.
	if err == nil {
		err = file.Sync()
	}
	err = errors.Join(err, file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name())
	}
	return err
}
