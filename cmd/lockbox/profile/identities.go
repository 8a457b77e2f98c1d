package profile

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Identity is an unlocked identity on this machine. It contains secrets and must not be printed or logged.
type Identity struct {
	// URL and Username name the account. Every caller must spell the URL in the same way; see terminal.canonicalURL.
	URL      string `json:"url"`
	Username string `json:"username"`
	// Text is the identity, "lbid1_…".
	Text string `json:"identity"`
	// During a rotation, the field Previous contains the identities that the identity in Text replaces. Some boxes may
	// still need one of the replaced identities until the rotation is complete.
	Previous []string `json:"previous,omitempty"`
}

// IdentityStore is the directory of the unlocked identities, next to the profile file. Each identity has its own file,
// which only this user can read.
type IdentityStore struct{ dir string }

// Identities returns the store of this user. It returns an error if the user has no configuration directory.
func Identities() (IdentityStore, error) {
	path, err := Path()
	return IdentityStore{filepath.Join(filepath.Dir(path), "identities")}, err
}

// path returns the path of the identity file of an account. The file name is a hash, because URLs and names can contain
// characters that file systems do not allow.
func (s IdentityStore) path(url, username string) string {
	sum := sha256.Sum256([]byte(url + "\n" + strings.ToLower(username)))
	return filepath.Join(s.dir, hex.EncodeToString(sum[:16])+".json")
}

// Empty reports whether the store contains no identity.
func (s IdentityStore) Empty() bool {
	entries, err := os.ReadDir(s.dir)
	return err != nil || len(entries) == 0
}

// Load returns the identity of an account. ok is false if the store has no identity of this account.
func (s IdentityStore) Load(url, username string) (stored Identity, ok bool, err error) {
	path := s.path(url, username)
	text, err := os.ReadFile(path) //nolint:gosec // the user's own file
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return Identity{}, false, nil
	}
	if err != nil {
		return Identity{}, false, fmt.Errorf("cannot read the identity: %w"+remedy, err)
	}
	// The decoder's error may quote the file, which contains the identity.
	if json.Unmarshal(text, &stored) != nil {
		return Identity{}, false, fmt.Errorf("%s is not a valid identity file: "+
			"delete it, then run lockbox identity unlock", path)
	}
	return stored, true, nil
}

// Save stores an identity and replaces an earlier identity of the same account. It replaces the file atomically.
func (s IdentityStore) Save(identity Identity) error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return cannotWriteIdentity(err)
	}
	text, err := json.MarshalIndent(identity, "", "  ")
	if err != nil {
		return err
	}
	if err := replaceFile(s.path(identity.URL, identity.Username), text); err != nil {
		return cannotWriteIdentity(err)
	}
	return nil
}

// Delete removes the identity of an account and reports whether there was one.
func (s IdentityStore) Delete(url, username string) (bool, error) {
	err := os.Remove(s.path(url, username))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("cannot delete the identity: %w", err)
	}
	return true, nil
}

func cannotWriteIdentity(err error) error {
	return fmt.Errorf("cannot write the identity: %w"+remedy, err)
}
