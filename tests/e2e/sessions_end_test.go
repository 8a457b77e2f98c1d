package e2e

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSessionsEnd covers the actions that end all sessions of a user. Each action must end the user's sessions in both
// APIs. Each replica must refuse the next request with such a session.
func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	c := startCluster(t, readCommitted)
	key := c.root.user("user1")
	secret := c.root.do("GET", "/api/v1/user/auth/setup/user1", nil).expect(200).string("secret")
	password := "user1-password"
	signIn := func() (session, access client, refresh string) {
		forgetSteps(t, c.a)
		body := passwordAndCode("user1", password, codeOf(t, secret, 0))
		pair := read[tokenPair](c.a.as("").do("POST", "/api/v1/user/auth", body).expect(200))
		forgetSteps(t, c.a)
		token := c.a.as("").do("POST", "/authenticate", body).expect(200).string("token")
		return c.b.as(token), c.b.as(pair.Access), pair.Refresh
	}
	for _, end := range []struct {
		name string
		do   func()
		keys bool // API keys remain valid
	}{
		{"a new password", func() {
			key.do("PUT", "/users/user1",
				`{"password":"another-password","currentPassword":"`+password+`"}`).expect(204)
			password = "another-password"
		}, true},
		{"revoked", func() { c.root.do("DELETE", "/api/v1/user/auth/revoke/user1", nil).expect(200) }, true},
		{"deactivated", func() { c.root.do("PUT", "/users/user1", `{"isActive":false}`).expect(204) }, false},
	} {
		session, access, refresh := signIn()
		for _, alive := range []client{session, access} {
			alive.do("GET", "/whoami", nil).expect(200)
		}
		end.do()
		for _, dead := range []client{session, access} {
			dead.do("GET", "/whoami", nil).refuses(401, "unauthenticated")
		}
		access.do("GET", "/api/v1/user/list", nil).fails(401, 908, "Access token not found")
		c.b.as("").do("POST", "/api/v1/user/auth/refresh", refreshBody(refresh)).fails(401, 910,
			"Refresh token not found")
		status := map[bool]int{true: 200, false: 401}[end.keys]
		require.Equal(t, status, key.at(c.b).do("GET", "/whoami", nil).Status, end.name)
		if !end.keys { // and reactivation restores no token
			c.root.do("PUT", "/users/user1", `{"isActive":true}`).expect(204)
			for _, dead := range []client{session, access, key.at(c.b)} {
				dead.do("GET", "/whoami", nil).expect(401)
			}
		}
	}
}

// TestAccessTokenEverywhere sends an access token of the accounts API to routes of the Lockbox API. These routes must
// accept it like an API key.
func TestAccessTokenEverywhere(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	secret := root.member("anna", "viewer")
	anna := s.as(s.signInWithCode("anna", secret).Access)
	anna.box("hers")
	anna.put("hers", "entry", `{"a":1}`).expect(201)
	anna.put("hers", "entry", `{"a":2}`).expect(201)
	anna.get("hers", "entry").expect(200).is(`{"a":2}`)
	anna.do("POST", "/boxes/hers/entries/entry/restore", `{"version":1}`).expect(201)
	anna.do("DELETE", "/boxes/hers/entries/entry", nil).expect(204)
	key := s.as(anna.do("POST", "/api-keys", nil).expect(200).string("apiKey"))
	key.do("GET", "/boxes", nil).expect(200).is(`["hers"]`)
	anna.do("GET", "/users", nil).refuses(403, "admin_only")
	anna.do("POST", "/users", `{"username":"x","password":"some-password"}`).refuses(403, "admin_only")
	s.as(strings.Repeat("A", 64)).do("GET", "/whoami", nil).refuses(401, "unauthenticated")
}

// TestAdminsCannotChangeTheOwner verifies that no admin can change the owner's account.
func TestAdminsCannotChangeTheOwner(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	admin := root.admin("admin1")
	enrolled := root.enrol("root")
	before := string(root.do("GET", "/users/root", nil).expect(200).Body)
	keyID := read[whoAmI](root.do("GET", "/whoami", nil)).Token.ID
	for _, request := range [][3]string{
		{"PUT", "/users/root", `{"password":"another-password"}`}, {"PUT", "/users/root", `{"role":"user"}`},
		{"PUT", "/users/root", `{"isActive":false}`}, {"PUT", "/users/root", `{"revokeApiKeys":true}`},
		{"PUT", "/users/root", `{"group":"none"}`}, {"PUT", "/users/root", `{"group":"owner"}`},
		{"PUT", "/users/admin1", `{"group":"owner"}`},
		{"DELETE", "/users/root", ``}, {"DELETE", "/api-keys/" + keyID, ``},
		{"POST", "/users/root/totp", ``}, {"POST", "/users/root/totp/confirm", `{"code":"123456"}`},
		{"DELETE", "/users/root/totp", ``},
		{"GET", "/api/v1/user/auth/setup/root", ``}, {"DELETE", "/api/v1/user/auth/revoke/root", ``},
		{"DELETE", "/api/v1/user/delete/root", ``},
		{"POST", "/api/v1/user/add", `{"username":"root","group":"owner"}`},
		{"POST", "/init", `{"username":"x","password":"some-password"}`},
	} {
		got := admin.do(request[0], request[1], request[2])
		require.Contains(t, []int{401, 403, 409}, got.Status, "%s %s: %s", request[0], request[1], got.Body)
	}
	require.Equal(t, before, string(root.do("GET", "/users/root", nil).expect(200).Body))
	s.as("").do("POST", "/authenticate",
		passwordAndCode("root", "root-password", enrolled.RecoveryCodes[0])).expect(200)
}
