package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type signedIn struct {
	Token  string `json:"token"`
	Expiry int64  `json:"expiry"`
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.initialize().user("user1")
	before := time.Now().Truncate(time.Second)
	got := s.as("").do("POST", "/authenticate", `{"username":"user1","password":"user1-password"}`).expect(200).isJSON()
	require.Len(t, read[map[string]any](got), 2)
	answer := read[signedIn](got)
	require.WithinRange(t, time.UnixMilli(answer.Expiry), before.Add(7*24*time.Hour), time.Now().Add(7*24*time.Hour),
		"Unix milliseconds, in 7 days")
	me := read[whoAmI](s.as(answer.Token).do("GET", "/whoami", nil).expect(200).isJSON())
	require.Equal(t, "user1", me.Username)
	require.Equal(t, "session", me.Token.Kind)
	require.Equal(t, answer.Expiry, me.Token.ExpiresAt.UnixMilli())

	s.as("").do("POST", "/authenticate", `{"Username":"USER1","PASSWORD":"user1-password","code":123456}`).expect(200)
}

// TestWrongCredentials verifies that every wrong credential gets the same answer.
func TestWrongCredentials(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	root.user("inactive")
	root.do("PUT", "/users/inactive", `{"isActive":false}`).expect(204)
	const details = "the username or the password is wrong"
	for name, body := range map[string]any{
		"wrong password":           `{"username":"root","password":"wrong-password"}`,
		"password in another case": `{"username":"root","password":"ROOT-PASSWORD"}`,
		"password with a space":    `{"username":"root","password":"root-password "}`,
		"the beginning of it":      `{"username":"root","password":"root"}`,
		"unknown user":             `{"username":"unknown","password":"root-password"}`,
		"inactive user":            `{"username":"inactive","password":"inactive-password"}`,
		"inactive user, wrong":     `{"username":"inactive","password":"wrong"}`,
		"name that none can have":  `{"username":"a b/c","password":"root-password"}`,
		"name with NUL":            `{"username":"root\u0000","password":"root-password"}`,
		"password with NUL":        `{"username":"root","password":"root-password\u0000"}`,
		"very long name": map[string]string{"username": strings.Repeat("x", 1000),
			"password": "root-password"},
		"very long password": map[string]string{"username": "root",
			"password": "root-password" + strings.Repeat("x", 10000)},
		"an API key as a password": map[string]string{"username": "root", "password": root.token},
		"the name as the password": `{"username":"root","password":"root"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := s.as("").in(t).do("POST", "/authenticate", body).refuses(401, "wrong_credentials")
			require.Equal(t, details, got.problem().Detail)
		})
	}
}

func TestAuthenticateBadInput(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.initialize()
	for name, test := range map[string]struct{ body, code, field string }{
		"nothing":        {`{}`, "password_required", "password"},
		"no username":    {`{"password":"root-password"}`, "username_required", "username"},
		"empty username": {`{"username":"","password":"root-password"}`, "username_required", "username"},
		"no password":    {`{"username":"root"}`, "password_required", "password"},
		"empty password": {`{"username":"root","password":""}`, "password_required", "password"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s.as("").in(t).do("POST", "/authenticate", test.body).refuses(400, test.code).about(test.field)
		})
	}
}

func TestTokenTTL(t *testing.T) {
	t.Parallel()
	s := start(t, "TOKEN_TTL=1h")
	s.initialize()
	before := time.Now().Truncate(time.Second)
	got := read[signedIn](s.as("").do("POST", "/authenticate",
		`{"username":"root","password":"root-password"}`).expect(200))
	require.WithinRange(t, time.UnixMilli(got.Expiry), before.Add(time.Hour), time.Now().Add(time.Hour))
}

// TestNewPasswordEndsSessions changes the password of a user. This ends the user's sessions, but the user's API keys
// remain valid. The test then deactivates the account. This ends both sessions and API keys.
func TestNewPasswordEndsSessions(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	key := root.user("user1")
	session := s.signIn("user1", "user1-password")
	root.do("PUT", "/users/user1", `{"role":"user"}`).expect(204)
	session.do("GET", "/whoami", nil).expect(200)

	root.do("PUT", "/users/user1", `{"password":"second-password"}`).expect(204)
	session.do("GET", "/whoami", nil).refuses(401, "unauthenticated")
	key.do("GET", "/whoami", nil).expect(200)
	s.as("").do("POST", "/authenticate", `{"username":"user1","password":"user1-password"}`).refuses(401,
		"wrong_credentials")
	session = s.signIn("user1", "second-password")

	root.do("PUT", "/users/user1", `{"isActive":false}`).expect(204)
	session.do("GET", "/whoami", nil).refuses(401, "unauthenticated")
	key.do("GET", "/whoami", nil).refuses(401, "unauthenticated")

	root.do("PUT", "/users/user1", `{"isActive":true}`).expect(204)
	session.do("GET", "/whoami", nil).refuses(401, "unauthenticated")
	key.do("GET", "/whoami", nil).refuses(401, "unauthenticated")
	s.signIn("user1", "second-password").do("POST", "/api-keys", nil).expect(200)
}

func TestTokensOfADeletedUser(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	key := root.user("user1")
	session := s.signIn("user1", "user1-password")
	root.do("DELETE", "/users/user1", nil).expect(204)
	root.user("user1")
	key.do("GET", "/whoami", nil).refuses(401, "unauthenticated")
	session.do("GET", "/whoami", nil).refuses(401, "unauthenticated")
}

func TestRoleChangeTakesEffectImmediately(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	admin := root.admin("admin1")
	session := s.signIn("admin1", "admin1-password")
	for _, c := range []client{admin, session} {
		c.do("GET", "/users", nil).expect(200)
	}
	root.do("PUT", "/users/admin1", `{"role":"user"}`).expect(204)
	for _, c := range []client{admin, session} {
		c.do("GET", "/users", nil).refuses(403, "admin_only")
	}
}

type whoAmI struct {
	Username string  `json:"username"`
	Role     string  `json:"role"`
	Group    *string `json:"group"`
	Token    struct {
		Kind      string     `json:"kind"`
		ID        string     `json:"id"`
		Name      string     `json:"name"`
		ExpiresAt *time.Time `json:"expiresAt"`
	} `json:"token"`
}

func TestWhoAmI(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	got := root.do("GET", "/whoami", nil).expect(200).isJSON()
	me := read[whoAmI](got)
	require.JSONEq(t, `{"username":"root","id":"`+text(t, s.db, `SELECT id FROM users`)+`","role":"admin",
		"group":"owner","token":{"kind":"api-key","id":"`+me.Token.ID+`","name":"","expiresAt":null},
		"installation":"`+text(t, s.db, `SELECT installation_id FROM system`)+`"}`, string(got.Body))
	require.Contains(t, string(root.do("GET", "/api-keys", nil).Body), me.Token.ID)

	named := s.as(root.user("user1").do("POST", "/api-keys",
		`{"name":"Laptop","expiry":"2100-01-02T03:04:05+02:00"}`).expect(200).string("apiKey"))
	me = read[whoAmI](named.do("GET", "/whoami", nil).expect(200))
	require.Equal(t, "user1", me.Username)
	require.Equal(t, "user", me.Role)
	require.Equal(t, "Laptop", me.Token.Name)
	require.Contains(t, string(named.do("GET", "/whoami", nil).Body), `"expiresAt":"2100-01-02T01:04:05Z"`)
}

// TestDatabaseOverridesTokenClaims verifies that the database overrides the claims of a correctly signed token.
func TestDatabaseOverridesTokenClaims(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"an inactive user":      `UPDATE users SET is_active = false WHERE name = 'user1'`,
		"credentials that went": `WITH keys AS (DELETE FROM api_keys) DELETE FROM sessions`,
		"credentials that ended": `WITH keys AS (UPDATE api_keys SET expires_at = now() - interval '1 second')
			UPDATE sessions SET expires_at = now() - interval '1 second'`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			key := s.initialize().user("user1")
			session := s.signIn("user1", "user1-password")
			key.box("default")
			key.put("default", "key", `1`).expect(201)
			run(t, s.db, change)
			for _, c := range []client{key, session} {
				c.do("GET", "/whoami", nil).refuses(401, "unauthenticated")
				c.get("default", "key").refuses(401, "unauthenticated")
				c.put("default", "key", `2`).refuses(401, "unauthenticated")
				c.do("DELETE", "/boxes/default", nil).refuses(401, "unauthenticated")
				c.do("POST", "/boxes/other", nil).refuses(401, "unauthenticated")
				c.do("POST", "/api-keys", nil).refuses(401, "unauthenticated")
			}
		})
	}
}
