package terminal

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/cmd/lockbox/profile"
)

// addReplaceFlag adds the flag that allows init and login to replace an API key.
func addReplaceFlag(command *cobra.Command, replace *bool) {
	command.Flags().BoolVar(replace, "replace", false,
		"overwrite the API key in the profile, and revoke the overwritten key on the server")
}

// prepareProfile checks that the selected profile can be written. If replace is false, it also returns an error if the
// profile contains an API key. Overwriting this key would delete its only copy. The server would still accept the key.
// Commands that obtain a token call prepareProfile first, because a token that cannot be stored is lost.
func (s *session) prepareProfile(replace bool) error {
	path, err := profile.Path()
	if err == nil {
		err = s.profileErr
	}
	if err == nil {
		err = profile.CheckWritable(path)
	}
	if err != nil {
		return err
	}
	if replace || !s.selected.HoldsAPIKey() {
		return nil
	}
	return &exitError{fmt.Errorf("the profile %s holds an API key of %s for %s: "+
		"use --profile NAME for another profile, or --replace to revoke and overwrite the key",
		s.name, s.selected.Username, s.selected.URL), exitConflict}
}

// revokeReplaced revokes the API key that a login has replaced in the profile. The request carries the replaced key,
// because the new token may belong to another server or user. If the revocation fails, revokeReplaced prints a warning
// with the id of the key.
func (s *session) revokeReplaced(ctx context.Context, old profile.Profile, token string) {
	if !old.HoldsAPIKey() || old.Token == token {
		return
	}
	err := s.revokeKey(ctx, old)
	switch {
	// A key that the server refuses needs no revocation.
	case err == nil, errors.Is(err, client.ErrUnauthenticated), errors.Is(err, client.ErrNotFound):
		return
	}
	s.warn("could not revoke the API key %s of %s for %s: %s; "+
		"the key stays valid, so revoke it with lockbox api-keys delete",
		cmp.Or(old.APIKeyID, "that was replaced"), old.Username, old.URL, Explain(err))
}

// revokeKey revokes the API key of a profile with one request to the server of the profile.
func (s *session) revokeKey(ctx context.Context, old profile.Profile) error {
	server, err := s.serverOf(old)
	if err != nil {
		return err
	}
	return server.RevokeAPIKey(ctx, cmp.Or(old.APIKeyID, old.Token))
}

// holdsRevokedKey reports whether the selected profile holds an API key that its server refuses, for example because an
// operator has invalidated all API keys. It returns false if the server cannot be reached.
func (s *session) holdsRevokedKey(ctx context.Context) bool {
	if !s.selected.HoldsAPIKey() {
		return false
	}
	server, err := s.serverOf(s.selected)
	if err != nil {
		return false
	}
	_, err = server.WhoAmI(ctx)
	return errors.Is(err, client.ErrUnauthenticated)
}

// serverOf returns a client for the server of a profile, with the token of the profile.
func (s *session) serverOf(p profile.Profile) (*client.Client, error) {
	allowHTTP, err := s.allowHTTP()
	if err != nil {
		return nil, err
	}
	return client.New(client.Config{
		URL:       p.URL,
		Token:     client.NewSecret(p.Token),
		UserAgent: s.userAgent,
		AllowHTTP: allowHTTP,
	})
}

// warnOfValidKey warns that the server still accepts an API key that has been deleted from this machine.
func (s *session) warnOfValidKey(old profile.Profile) {
	if old.HoldsAPIKey() {
		s.warn("the API key %s of %s stays valid on %s: revoke it there with lockbox api-keys delete",
			cmp.Or(old.APIKeyID, "of the profile"), old.Username, old.URL)
	}
}
