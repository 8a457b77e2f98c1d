package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestUpdateUser(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	root.user("user1")
	before := read[describedUser](root.do("GET", "/users/user1", nil))
	for name, test := range map[string]struct {
		body string
		want func(*describedUser)
	}{
		"promoted":           {`{"role":"admin"}`, func(u *describedUser) { u.Role = "admin" }},
		"in any letter case": {`{"Role":"USER","ISACTIVE":true}`, func(*describedUser) {}},
		"nulls change nothing": {`{"role":null,"isActive":null,"password":null,"revokeApiKeys":null}`,
			func(*describedUser) {}},
		"nothing changes nothing": {`{}`, func(*describedUser) {}},
	} {
		t.Run(name, func(t *testing.T) {
			root.in(t).do("PUT", "/users/USER1", test.body).expect(204).isEmpty("")
			after, want := read[describedUser](root.in(t).do("GET", "/users/user1", nil)), before
			test.want(&want)
			require.GreaterOrEqual(t, after.UpdatedAt, before.UpdatedAt)
			want.UpdatedAt = after.UpdatedAt
			require.Equal(t, want, after)
			root.in(t).do("PUT", "/users/user1", `{"role":"user"}`).expect(204)
		})
	}
}

func TestUpdateUserBadInput(t *testing.T) {
	t.Parallel()
	root := start(t).initialize()
	user := root.user("user1")
	for name, test := range map[string]struct {
		by          client
		body        string
		status      int
		code, field string
	}{
		"unknown role":   {root, `{"role":"owner"}`, 400, "unknown_role", "role"},
		"empty role":     {root, `{"role":""}`, 400, "unknown_role", "role"},
		"empty password": {root, `{"password":""}`, 400, "password_required", "password"},
		"short password": {root, `{"password":"12345"}`, 400, "invalid_password", "password"},
		"its own without the current": {user, `{"password":"new-password"}`, 400, "current_password_required",
			"currentPassword"},
		"its own with an empty current": {user, `{"password":"new-password","currentPassword":""}`, 400,
			"current_password_required", "currentPassword"},
		"its own with a wrong current": {user, `{"password":"new-password","currentPassword":"wrong"}`, 403,
			"current_password_wrong", "currentPassword"},
		"its own, short": {user, `{"password":"12345","currentPassword":"user1-password"}`, 400,
			"invalid_password", "password"},
		"its own role":           {user, `{"role":"admin"}`, 403, "admin_only", ""},
		"its own role, the same": {user, `{"role":"user"}`, 403, "admin_only", ""},
		"its own state":          {user, `{"isActive":false}`, 403, "admin_only", ""},
		"its own role beside a good change": {user,
			`{"role":"admin","password":"new-password","currentPassword":"user1-password"}`, 403, "admin_only", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.by.in(t).do("PUT", "/users/user1", test.body).refuses(test.status, test.code).about(test.field)
			test.by.server.in(t).signIn("user1", "user1-password")
		})
	}
}

// The in method returns a copy of the server. The copy reports failures on another test.
func (s *server) in(t testing.TB) *server { return s.as("").in(t).server }

func TestOwnPassword(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	user := root.user("user1")
	session := s.signIn("user1", "user1-password")
	session.do("PUT", "/users/user1", `{"password":"second-password","currentPassword":"user1-password"}`).expect(204)
	session.do("GET", "/whoami", nil).refuses(401, "unauthenticated")
	user.do("GET", "/whoami", nil).expect(200)
	s.as("").do("POST", "/authenticate", `{"username":"user1","password":"user1-password"}`).refuses(401,
		"wrong_credentials")
	session = s.signIn("user1", "second-password")

	user.do("PUT", "/users/user1",
		`{"password":"third-password","currentPassword":"second-password","revokeApiKeys":true}`).expect(204)
	user.do("GET", "/whoami", nil).refuses(401, "unauthenticated")
	session.do("GET", "/whoami", nil).refuses(401, "unauthenticated")

	session = s.signIn("user1", "third-password")
	key := session.issue(nil)
	// With a stolen session token, an attacker must not be able to revoke the user's API keys.
	session.do("PUT", "/users/user1", `{"revokeApiKeys":true}`).refuses(403, "admin_only")
	key.do("GET", "/whoami", nil).expect(200)
	session.do("GET", "/whoami", nil).expect(200)
}

// TestAnAdminsOwnPassword verifies that an admin must send the current password to change their own password. To change
// another user's password, an admin needs no password of that user.
func TestAnAdminsOwnPassword(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	admin := root.admin("admin1")
	root.user("user1")
	admin.do("PUT", "/users/admin1", `{"password":"new-password"}`).refuses(400, "current_password_required")
	admin.do("PUT", "/users/user1", `{"password":"new-password","currentPassword":"whatever"}`).expect(204)
	s.signIn("user1", "new-password")
	root.do("PUT", "/users/root", `{"password":"new-password"}`).refuses(400, "current_password_required")
	root.do("PUT", "/users/root", `{"password":"new-password","currentPassword":"root-password"}`).expect(204)
	s.signIn("root", "new-password")
}

// TestOwnerIsProtected verifies that other admins cannot change the owner. The owner cannot deactivate or demote
// itself.
func TestOwnerIsProtected(t *testing.T) {
	t.Parallel()
	root := start(t).initialize()
	admin := root.admin("admin1")
	for _, body := range []string{`{"role":"user"}`, `{"role":"admin"}`, `{"isActive":false}`, `{"isActive":true}`,
		`{"password":"new-password"}`,
		`{"revokeApiKeys":true}`, `{"password":"new-password","currentPassword":"root-password"}`, `{}`} {
		t.Run("another "+body, func(t *testing.T) {
			t.Parallel()
			admin.in(t).do("PUT", "/users/root", body).refuses(403, "owner_protected")
		})
	}
	for _, body := range []string{`{"role":"user"}`, `{"isActive":false}`, `{"isActive":false,"role":"admin"}`} {
		t.Run("itself "+body, func(t *testing.T) {
			t.Parallel()
			root.in(t).do("PUT", "/users/root", body).refuses(409, "owner_stays")
		})
	}
	root.do("PUT", "/users/root", `{"role":"admin","isActive":true}`).expect(204)
	require.Contains(t, string(root.do("GET", "/users/root", nil).Body), `"isActive":true`)
}

// TestADeactivatedUser verifies that an admin can reactivate a user. The user's earlier API keys must remain revoked.
func TestADeactivatedUser(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	user := root.user("user1")
	user.box("mine")
	user.put("mine", "kept", `1`).expect(201)
	root.do("PUT", "/users/user1", `{"isActive":false}`).expect(204)
	root.do("PUT", "/users/user1", `{"isActive":false,"password":"second-password"}`).expect(204)
	user.get("mine", "kept").refuses(401, "unauthenticated")
	s.as("").do("POST", "/authenticate", `{"username":"user1","password":"second-password"}`).refuses(401,
		"wrong_credentials")
	root.do("GET", "/boxes/mine", nil).expect(200)
	root.do("PUT", "/users/user1", `{"isActive":true}`).expect(204)
	require.Empty(t, read[describedUser](root.do("GET", "/users/user1", nil)).APIKeys)
	require.Equal(t, "1", string(s.signIn("user1", "second-password").get("mine", "kept").expect(200).Body))
}

// TestAdminDemotesAdmin verifies that an admin can demote another admin and can deactivate its own account.
func TestAdminDemotesAdmin(t *testing.T) {
	t.Parallel()
	root := start(t).initialize()
	first, second := root.admin("first"), root.admin("second")
	first.do("PUT", "/users/second", `{"role":"user"}`).expect(204)
	second.do("GET", "/users", nil).refuses(403, "admin_only")
	second.do("PUT", "/users/first", `{"role":"user"}`).refuses(403, "admin_only")
	first.do("PUT", "/users/first", `{"isActive":false}`).expect(204)
	first.do("GET", "/whoami", nil).refuses(401, "unauthenticated")
}
