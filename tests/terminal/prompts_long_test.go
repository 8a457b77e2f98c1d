//go:build unix && e2e

package terminal

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestConfirmation checks that a command asks for confirmation before an action that cannot be undone. Only an explicit
// yes may start the action.
func TestConfirmation(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.api("POST", "/boxes/prod", "", nil)
	environ := h.environ("LOCKBOX_API_URL="+h.server.URL, "LOCKBOX_API_KEY="+h.root)
	for _, answer := range []string{"", "n", "what?"} {
		s := at(t, environ, "box", "delete", "prod")
		s.expect(`Permanently delete box prod \(owner: root\) and all its entries\? \[y/N\] `)
		s.enter(answer)
		s.expect("lockbox:.* nothing was changed")
		s.ends(1)
	}
	h.api("GET", "/boxes/prod", "", nil)
	s := at(t, environ, "box", "delete", "prod")
	s.expect(`\[y/N\] `)
	s.enter("YES")
	s.ends(0)
	_, err := send(h.server.URL, h.root, "GET", "/boxes/prod", "", nil)
	require.ErrorContains(t, err, "404")

	h.codeAccount("anna")
	s = at(t, environ, "users", "update", "anna", "--group", "owner")
	s.expect(`Transfer the ownership of the server to anna\? \[y/N\] `)
	s.enter("no")
	s.ends(1)
	s = at(t, environ, "users", "delete", "anna")
	s.expect(`Permanently delete user anna\? \[y/N\] `)
	s.enter("y")
	s.ends(0)
	s = at(t, environ, "droplet", "delete", "droplet01")
	s.expect(`Permanently delete droplet droplet01 and all its data\? \[y/N\] `)
	s.enter("n")
	s.ends(1)
}

// TestNewPasswords checks that a new password must be typed twice and match.
func TestNewPasswords(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	environ := h.environ("LOCKBOX_API_URL="+h.server.URL, "LOCKBOX_API_KEY="+h.root)
	s := at(t, environ, "users", "create", "anna")
	s.hidden("Password for anna: ", "anna-password")
	s.hidden("Repeat: ", "another")
	s.expect("the two inputs differ")
	s.ends(1)
	s = at(t, environ, "users", "create", "anna")
	s.hidden("Password for anna: ", "anna-password")
	s.hidden("Repeat: ", "anna-password")
	s.expect("eyJ")
	s.expect("not shown again")
	s.ends(0)

	s = h.at("login", h.server.URL, "-u", "anna")
	s.hidden("Password: ", "anna-password")
	s.declines()
	s.ends(0)
	s = h.at("users", "passwd")
	s.hidden("Current password .*: ", "anna-password")
	s.hidden("New password for anna: ", "new-password")
	s.hidden("Repeat: ", "new-password")
	s.expect("lockbox login")
	s.ends(0)
	s = h.at("login", "-u", "anna")
	s.hidden("Password: ", "new-password")
	s.ends(0)

	// A user who signs in only with TOTP codes has no current password. Such a user sets the first password with a
	// code.
	secret := h.codeAccount("boris")
	h.signInWithCode("boris", secret, 0)
	s = h.at("users", "passwd")
	s.hidden("Current password .*: ", "")
	s.hidden("New password for boris: ", "boris-password")
	s.hidden("Repeat: ", "boris-password")
	code, err := codeAt(secret, 1)
	require.NoError(t, err)
	s.hidden("TOTP code or recovery code: ", code)
	s.ends(0)
}
