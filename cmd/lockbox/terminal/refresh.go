package terminal

import (
	"context"
	"errors"
	"time"

	"github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/cmd/lockbox/profile"
)

// The times of a refresh.
const (
	// refreshBefore is the remaining lifetime below which a token is refreshed. Without this margin, a token could
	// expire between the check and the arrival of the request at the server.
	refreshBefore = time.Minute
	// refreshTimeout limits a refresh. Ctrl-C and the timeout of a shell completion do not cancel a refresh. The server
	// invalidates the old token as soon as it receives the request. The command must therefore wait for the new token
	// and store it.
	refreshTimeout = 10 * time.Second
)

// errOtherAccount means that another process has changed the server or the account of the profile. The requests of this
// command must not use the new token of the profile.
var errOtherAccount = errors.New("another command has changed the profile to another server or user: " +
	"run this command again")

// refresh exchanges the refresh token of the profile for a new token and returns it. It locks the profile file until
// the new token is stored. Otherwise, another process could use the same refresh token, and the server would then
// revoke the whole session. If another process has already replaced the token, refresh returns the stored token and
// sends no request. For a profile without a refresh token, refresh only reads the profile file, so the file can be
// read-only. It returns errOtherAccount, an error of the profile file, or an error of the request.
func (s *session) refresh(ctx context.Context) (string, error) {
	path, err := profile.Path()
	if err != nil {
		return "", err
	}
	if s.selected.RefreshToken == "" {
		book, err := profile.Load(path)
		if err != nil {
			return "", err
		}
		err = s.adopt(book.Profiles[s.name])
		return s.selected.Token, err
	}
	exchanged := false
	err = profile.Change(path, func(book *profile.Book) error {
		stored := book.Profiles[s.name]
		if stored.Token == s.selected.Token && stored.RefreshToken != "" {
			if err := s.exchange(ctx, &stored); err != nil {
				return err
			}
			exchanged = true
			book.Profiles[s.name] = stored
		}
		return s.adopt(stored)
	})
	if exchanged && err != nil {
		// The new token could not be stored. This command can continue with it, but later commands cannot: the file
		// still contains the old refresh token, which the server no longer accepts.
		s.warn("%s; sign in again with lockbox login%s", err, s.profileFlag())
		err = nil
	}
	return s.selected.Token, err
}

// adopt makes the stored profile the selected profile. If the two profiles are for different accounts, it returns
// errOtherAccount.
func (s *session) adopt(stored profile.Profile) error {
	if !sameServer(stored.URL, s.selected.URL) || stored.Username != s.selected.Username {
		return errOtherAccount
	}
	s.selected = stored
	return nil
}

// exchange sends the refresh token of the stored profile to the server. It then replaces the token, the refresh token
// and the expiry time in that profile. The caller writes the profile file.
func (s *session) exchange(ctx context.Context, stored *profile.Profile) error {
	// Do not let ctx cancel the refresh. A cancelled refresh could lose the new token, and the user would have to sign
	// in again. The timeout starts after the wait for the lock.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refreshTimeout)
	defer cancel()
	// The server invalidates the old tokens at once, so check first that the new ones can be stored.
	path, err := profile.Path()
	if err == nil {
		err = profile.CheckWritable(path)
	}
	if err != nil {
		return err
	}
	anonymous, err := s.connect("")
	if err != nil {
		return err
	}
	pair, err := anonymous.Accounts().Refresh(ctx, client.NewSecret(stored.RefreshToken))
	if err != nil {
		return err
	}
	stored.Token, stored.RefreshToken = pair.Access.Reveal(), pair.Refresh.Reveal()
	stored.ExpiresAt = time.Now().Add(pair.ExpiresIn)
	return nil
}
