// Package profile keeps which servers a user of the terminal works with, and the tokens for them, in one file in the
// configuration folder of the operating system that only this user may read.
package profile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/rogpeppe/go-internal/lockedfile"
)

// Default is the name of the profile of whoever needs only one.
const Default = "default"

// Profile is a server and how to call it. It holds tokens: never print one.
type Profile struct {
	URL      string `json:"url"`
	Username string `json:"username,omitempty"`
	// Token is an API key or a token of a session. It is sent to URL and to no other server.
	Token     string    `json:"token,omitempty"`
	ExpiresAt time.Time `json:"expiresAt,omitzero"`
	// RefreshToken makes a new Token once, where the session began with a one-time code alone.
	RefreshToken string `json:"refreshToken,omitempty"`
	// EncryptionKeyFile and EncryptionKeyCommand say where the encryption key is. The key itself is never kept here.
	EncryptionKeyFile    string `json:"encryptionKeyFile,omitempty"`
	EncryptionKeyCommand string `json:"encryptionKeyCommand,omitempty"`
}

// SignedIn reports whether there is a token.
func (p Profile) SignedIn() bool { return p.Token != "" }

// SignedOut returns the profile without its tokens.
func (p Profile) SignedOut() Profile {
	p.Token, p.RefreshToken, p.ExpiresAt = "", "", time.Time{}
	return p
}

// Book is all profiles of a user.
type Book struct {
	// Current is the profile that counts where none is named.
	Current  string             `json:"current,omitempty"`
	Profiles map[string]Profile `json:"profiles"`
}

// Names are sorted.
func (b Book) Names() []string {
	names := make([]string, 0, len(b.Profiles))
	for name := range b.Profiles {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Choose returns the name of the profile that is meant: the one asked for, or else the current one, or else Default.
func (b Book) Choose(asked string) string {
	switch {
	case asked != "":
		return asked
	case b.Current != "":
		return b.Current
	default:
		return Default
	}
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,49}$`)

// CheckName refuses what cannot be the name of a profile.
func CheckName(name string) error {
	if !nameForm.MatchString(name) {
		return fmt.Errorf("%q cannot be the name of a profile: use 1 to 50 letters, digits, dots, dashes and "+
			"underscores", name)
	}
	return nil
}

// Path is where the profiles of this user are.
func Path() (string, error) {
	folder, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("there is no folder for settings of this user: %w", err)
	}
	return filepath.Join(folder, "lockbox", "profiles.json"), nil
}

// Load reads the profiles; a file that is not there yet is an empty book.
func Load(path string) (Book, error) {
	book := Book{Profiles: map[string]Profile{}}
	text, err := os.ReadFile(path) //nolint:gosec // the user's own file
	if errors.Is(err, fs.ErrNotExist) {
		return book, nil
	}
	if err != nil {
		return book, err
	}
	if err := json.Unmarshal(text, &book); err != nil {
		// The words of the decoder may quote what it read.
		return book, fmt.Errorf("%s is not a file of profiles: mend or delete it, then sign in again", path)
	}
	if book.Profiles == nil {
		book.Profiles = map[string]Profile{}
	}
	return book, nil
}

// Change reads the profiles, changes them, and writes them back whole, while no other Lockbox of this user does.
func Change(path string, change func(*Book) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	// A lock of the operating system's, which a process that dies lets go of. The file itself stays.
	unlock, err := lockedfile.MutexAt(path + ".lock").Lock()
	if err != nil {
		return err
	}
	defer unlock()
	book, err := Load(path)
	if err != nil {
		return err
	}
	if err := change(&book); err != nil {
		return err
	}
	return save(path, book)
}

// save replaces the file at once: who reads meanwhile sees the old one or the new one.
func save(path string, book Book) error {
	text, err := json.MarshalIndent(book, "", "  ")
	if err != nil {
		return err
	}
	// CreateTemp makes it readable for this user alone.
	file, err := os.CreateTemp(filepath.Dir(path), ".profiles-*")
	if err != nil {
		return err
	}
	_, err = file.Write(append(text, '\n'))
	if err == nil {
		err = file.Sync()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name())
	}
	return err
}
