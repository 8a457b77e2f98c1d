// Package profile stores the profiles of a user. A profile has the URL of a server and the token with which the
// commands sign in to it. All profiles are in one file in the user's configuration directory. Only this user can read
// the file.
//
// Several lockbox processes may use the file at the same time. A process holds a lock file while it changes the
// profiles. A reader needs no lock: it reads either the old or the new contents.
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
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/lockedfile"
)

// Default is the name of the profile that commands use if the user names no profile and has no current profile.
const Default = "default"

// Profile is an account on a server. It contains tokens and must not be printed or logged.
type Profile struct {
	URL      string `json:"url"`
	Username string `json:"username,omitempty"`
	// Token is an API key or the token of a session. Send it only to the server at URL.
	Token string `json:"token,omitempty"`
	// ExpiresAt is the expiry time of Token. The zero time means that Token never expires.
	ExpiresAt time.Time `json:"expiresAt,omitzero"`
	// RefreshToken can be exchanged once for a new Token and RefreshToken. Only sessions that began with a TOTP code
	// have a refresh token.
	RefreshToken string `json:"refreshToken,omitempty"`
	// If Token is an API key, APIKeyID is the id of this API key on the server. It is "" in a profile that an early
	// release wrote.
	APIKeyID string `json:"apiKeyId,omitempty"`
	// EncryptionKeyFile and EncryptionKeyCommand locate the encryption key. The key itself is never stored here.
	EncryptionKeyFile    string `json:"encryptionKeyFile,omitempty"`
	EncryptionKeyCommand string `json:"encryptionKeyCommand,omitempty"`
	// IdentityDeclined means that the user declined to create or unlock an identity. lockbox login then does not ask
	// again.
	IdentityDeclined bool `json:"identityDeclined,omitempty"`
	// If the user creates a box, the users in Grant also get the key of the box.
	Grant []string `json:"grant,omitempty"`
}

// SignedIn reports whether the profile has a token. The token may have expired.
func (p Profile) SignedIn() bool { return p.Token != "" }

// SignedOut returns a copy of the profile without its tokens.
func (p Profile) SignedOut() Profile {
	p.Token, p.RefreshToken, p.APIKeyID, p.ExpiresAt = "", "", "", time.Time{}
	return p
}

// HoldsAPIKey reports whether Token is an API key. Before a command deletes the token, it must know the kind of the
// token: a session expires, but an API key stays valid on the server even if no copy of it exists. In a profile without
// APIKeyID, a token that never expires is an API key.
func (p Profile) HoldsAPIKey() bool {
	return p.APIKeyID != "" || p.SignedIn() && p.RefreshToken == "" && p.ExpiresAt.IsZero()
}

// Book holds all profiles of a user.
type Book struct {
	// Current is the name of the profile that commands use if the user names none. It may be the name of a deleted
	// profile.
	Current  string             `json:"current,omitempty"`
	Profiles map[string]Profile `json:"profiles"`
}

// Names returns the names of all profiles, sorted.
func (b Book) Names() []string {
	names := make([]string, 0, len(b.Profiles))
	for name := range b.Profiles {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Choose returns the name of the profile to use. It returns requested if that name is not empty, otherwise the name of
// the current profile, otherwise Default.
func (b Book) Choose(requested string) string {
	switch {
	case requested != "":
		return requested
	case b.Current != "":
		return b.Current
	default:
		return Default
	}
}

// namePattern allows only short names without characters that need quotes in a shell.
var namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,49}$`)

// CheckName returns an error if name is not a valid name for a profile.
func CheckName(name string) error {
	if !namePattern.MatchString(name) {
		return fmt.Errorf("%q is not a valid profile name: use 1 to 50 letters, digits, dots, dashes and underscores, "+
			"beginning with a letter or digit", name)
	}
	return nil
}

// Path returns the path of the profile file of this user. It returns an error if the user has no configuration
// directory, as in a container without HOME. The file need not exist.
func Path() (string, error) {
	folder, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("there is no directory for the profile file (%w): "+
			"set HOME or XDG_CONFIG_HOME, "+
			"or use LOCKBOX_API_URL and LOCKBOX_API_KEY", err)
	}
	return filepath.Join(folder, "lockbox", "profiles.json"), nil
}

// remedy is appended to the error for a file that cannot be read or written.
const remedy = "; correct the permissions, or choose another directory with XDG_CONFIG_HOME"

// Load reads the profile file without a lock. If the file is missing or a parent of its path is not a directory, Load
// returns an empty book. An error contains the path of the file and a remedy.
func Load(path string) (Book, error) {
	book := Book{Profiles: map[string]Profile{}}
	text, err := os.ReadFile(path) //nolint:gosec // the user's own file
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return book, nil
	}
	if err != nil {
		return book, fmt.Errorf("cannot read the profile file: %w"+remedy+", "+
			"or set LOCKBOX_API_URL and LOCKBOX_API_KEY", err)
	}
	if err := json.Unmarshal(text, &book); err != nil {
		// The decoder's error may quote the file, which contains tokens.
		return book, fmt.Errorf("%s is not a valid profile file: fix or delete it, then sign in again", path)
	}
	// In the file, the field profiles can be missing or null. Callers still need a map that they can change.
	if book.Profiles == nil {
		book.Profiles = map[string]Profile{}
	}
	return book, nil
}

// Change reads the profile file, calls the function change and writes the result back. It holds the lock until it
// returns. While the function change uses a refresh token, no other process can therefore use the same token. If the
// function returns an error, Change returns the same error and does not write the file. An error about the file
// contains its path and a remedy.
func Change(path string, change func(*Book) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return cannotWrite(err)
	}
	// The operating system releases the lock when the process ends, even if it crashes. The lock file itself stays.
	unlock, err := lockedfile.MutexAt(path + ".lock").Lock()
	if err != nil {
		return cannotWrite(err)
	}
	defer unlock()
	book, err := Load(path)
	if err != nil {
		return err
	}
	if err := change(&book); err != nil {
		return err
	}
	if err := save(path, book); err != nil {
		return cannotWrite(err)
	}
	return nil
}

// CheckWritable returns an error if Change would be unable to write the file. A command that requests a token calls
// CheckWritable before the request, because a token that cannot be stored would be lost. CheckWritable creates the
// directory if necessary.
func CheckWritable(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return cannotWrite(err)
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".profiles-*")
	if err != nil {
		return cannotWrite(err)
	}
	_ = file.Close()
	return os.Remove(file.Name())
}

// cannotWrite adds a remedy to an error of the operating system. Such an error already contains the path.
func cannotWrite(err error) error { return fmt.Errorf("cannot write the profile file: %w"+remedy, err) }

// save replaces the profile file atomically. If path is a symbolic link, save replaces the target of the link and keeps
// the link.
func save(path string, book Book) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	// Indent the file, so that users can read and repair it.
	text, err := json.MarshalIndent(book, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(path, text)
}

// replaceFile writes a temporary file with mode 0600 and renames it. A reader therefore gets either the old or the new
// contents, never a part of them.
func replaceFile(path string, text []byte) error {
	// CreateTemp creates the file with mode 0600.
	file, err := os.CreateTemp(filepath.Dir(path), ".profiles-*")
	if err != nil {
		return err
	}
	_, err = file.Write(append(text, '\n'))
	// Without a sync, a crash after the rename could leave an empty file, and its secrets would be lost.
	if err == nil {
		err = file.Sync()
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name())
	}
	return err
}
