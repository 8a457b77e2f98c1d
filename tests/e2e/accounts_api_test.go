package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The fails method verifies that the answer is an error of the accounts API with the given status, error number and
// text.
func (a *answer) fails(status, id int, text string) *answer {
	a.t.Helper()
	a.expect(status).isJSON()
	want, err := json.Marshal(map[string]any{"error": text, "errorId": id})
	require.NoError(a.t, err)
	require.JSONEq(a.t, string(want), string(a.Body), a.request)
	return a
}

// failsUnnumbered checks an error of the accounts API that has no error number.
func (a *answer) failsUnnumbered(status int) *answer {
	a.t.Helper()
	a.expect(status).isJSON()
	got := read[map[string]any](a)
	require.Len(a.t, got, 2)
	require.EqualValues(a.t, 0, got["errorId"])
	require.NotEmpty(a.t, got["error"])
	return a
}

type tokenPair struct {
	TokenType string `json:"token_type"`
	ExpiresIn int    `json:"expires_in"`
	Access    string `json:"access_token"`
	Refresh   string `json:"refresh_token"`
}

// member creates a user in a group and returns the user's TOTP secret. The user signs in with TOTP codes.
func (c client) member(name, group string) string {
	c.server.t.Helper()
	c.do("POST", "/api/v1/user/add", map[string]string{"username": name, "group": group}).expect(200)
	return c.do("GET", "/api/v1/user/auth/setup/"+name, nil).expect(200).string("secret")
}

// signInWithCode signs in with a code of the current time step.
func (s *server) signInWithCode(name, secret string) tokenPair {
	s.t.Helper()
	forgetSteps(s.t, s)
	got := s.as("").do("POST", "/api/v1/user/auth",
		map[string]string{"username": name, "code": codeOf(s.t, secret, 0)}).expect(200).isJSON()
	return read[tokenPair](got)
}

func refreshBody(token string) map[string]string {
	return map[string]string{"grant_type": "refresh_token", "refresh_token": token}
}

// TestAccountsLife covers the accounts API from the first owner to the revocation of a token family.
func TestAccountsLife(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	secret := root.do("GET", "/api/v1/user/auth/setup/root", nil).expect(200).string("secret")
	require.Equal(t, secret, root.do("GET", "/api/v1/user/auth/setup/root", nil).expect(200).string("secret"),
		"shown until the first code")
	got := s.as("").do("POST", "/api/v1/user/auth",
		passwordAndCode("root", "root-password", codeOf(t, secret, 0))).expect(200).isJSON()
	require.Equal(t, "no-store", got.Header.Get("Cache-Control"))
	pair := read[tokenPair](got)
	require.Equal(t, "Bearer", pair.TokenType)
	require.Equal(t, 7200, pair.ExpiresIn)
	require.Regexp(t, `^[0-9a-f]{64}$`, pair.Access)
	require.Regexp(t, `^[0-9a-f]{64}$`, pair.Refresh)
	owner := s.as(pair.Access)
	owner.do("GET", "/api/v1/user/auth/setup/root", nil).failsUnnumbered(403)

	list := read[[]map[string]any](owner.do("POST", "/api/v1/user/add",
		`{"username":"Man.Ager","group":"Manager"}`).expect(200).isJSON())
	require.Len(t, list, 2)
	require.Equal(t, "root", list[0]["username"])
	require.Equal(t, "owner", list[0]["group"])
	require.Equal(t, "Man.Ager", list[1]["username"])
	require.Equal(t, "manager", list[1]["group"])
	_, err := time.Parse(time.RFC3339, list[1]["created"].(string))
	require.NoError(t, err)

	theirs := owner.do("GET", "/api/v1/user/auth/setup/man.ager", nil).expect(200).string("secret")
	manager := s.signInWithCode("Man.Ager", theirs)
	s.as(manager.Access).do("GET", "/api/v1/user/list", nil).fails(403, 912, "Access denied")
	me := read[whoAmI](s.as(manager.Access).do("GET", "/whoami", nil).expect(200))
	require.Equal(t, "man.ager", me.Username)
	require.Equal(t, "manager", *me.Group)
	require.Equal(t, "access-token", me.Token.Kind)
	require.WithinDuration(t, time.Now().Add(2*time.Hour), *me.Token.ExpiresAt, 5*time.Second)

	next := read[tokenPair](s.as("").do("POST", "/api/v1/user/auth/refresh", refreshBody(manager.Refresh)).expect(200))
	require.NotEqual(t, manager.Access, next.Access)
	s.as(manager.Access).do("GET", "/api/v1/user/list", nil).fails(401, 908, "Access token not found")
	s.as(next.Access).do("GET", "/whoami", nil).expect(200)
	s.as("").do("POST", "/api/v1/user/auth/refresh", refreshBody(manager.Refresh)).fails(401, 910,
		"Refresh token not found")
	s.as(next.Access).do("GET", "/whoami", nil).refuses(401, "unauthenticated")
	s.as("").do("POST", "/api/v1/user/auth/refresh", refreshBody(next.Refresh)).fails(401, 910,
		"Refresh token not found")

	again := s.signInWithCode("man.ager", theirs)
	second := s.signInWithCode("man.ager", theirs)
	s.as(again.Access).do("GET", "/whoami", nil).expect(200) // a new sign-in keeps earlier sessions valid
	owner.do("DELETE", "/api/v1/user/auth/revoke/man.ager", nil).expect(200).is(`{"status":"ok"}`)
	for _, dead := range []tokenPair{again, second} {
		s.as(dead.Access).do("GET", "/api/v1/user/list", nil).fails(401, 908, "Access token not found")
		s.as("").do("POST", "/api/v1/user/auth/refresh", refreshBody(dead.Refresh)).fails(401, 910,
			"Refresh token not found")
	}
	last := s.signInWithCode("man.ager", theirs)
	// This route accepts a refresh token as well as an access token.
	s.as(last.Refresh).do("DELETE", "/api/v1/user/auth/revoke/MAN.AGER", nil).expect(200)
	s.as(last.Access).do("DELETE", "/api/v1/user/auth/revoke/man.ager", nil).fails(401, 908, "Access token not found")
	require.Len(t, read[[]any](owner.do("DELETE", "/api/v1/user/delete/man.ager", nil).expect(200)), 1)
}

// TestRevokeEndsEverySession verifies that a revocation in the accounts API ends all sessions of the user: those of the
// accounts API and those that /authenticate started. API keys must stay valid.
func TestRevokeEndsEverySession(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	key := root.user("user1")
	session := s.signIn("user1", "user1-password")
	secret := root.do("GET", "/api/v1/user/auth/setup/user1", nil).expect(200).string("secret")
	pair := read[tokenPair](s.as("").do("POST", "/api/v1/user/auth",
		passwordAndCode("user1", "user1-password", codeOf(t, secret, 0))).expect(200))
	key.do("DELETE", "/api/v1/user/auth/revoke/user1", nil).expect(200)
	key.do("GET", "/whoami", nil).expect(200)
	session.do("GET", "/whoami", nil).expect(401)
	s.as(pair.Access).do("GET", "/whoami", nil).expect(401)
}

func TestAccountsErrors(t *testing.T) {
	t.Parallel()
	s := start(t, "ACCESS_TOKEN_TTL=2s", "REFRESH_TOKEN_TTL=3s")
	root := s.initialize()
	anonymous := s.as("")
	secret := root.member("viewer", "viewer")
	root.user("plain")
	pair := s.signInWithCode("viewer", secret)
	require.Equal(t, 2, pair.ExpiresIn)
	viewer := s.as(pair.Access)
	viewer.do("DELETE", "/api/v1/user/auth/revoke/root", nil).fails(401, 904,
		"Only system owner can revoke access for others")
	viewer.do("DELETE", "/api/v1/user/auth/revoke/ghost", nil).fails(401, 904,
		"Only system owner can revoke access for others")
	for _, line := range [][2]string{{"GET", "/user/list"}, {"GET", "/user/auth/setup/viewer"}, {"POST", "/user/add"},
		{"DELETE", "/user/delete/ghost"}} {
		viewer.do(line[0], "/api/v1"+line[1], nil).fails(403, 912, "Access denied")
		anonymous.do(line[0], "/api/v1"+line[1], nil).fails(401, 908, "Access token not found")
		s.as(strings.Repeat("a", 64)).do(line[0], "/api/v1"+line[1], nil).fails(401, 908, "Access token not found")
	}
	for _, line := range [][2]string{{"GET", ""}, {"GET", "/"}, {"GET", "/nowhere"}, {"PUT", "/user/list"},
		{"GET", "/user/auth"}, {"POST", "/user/delete/viewer"}} {
		root.do(line[0], "/api/v1"+line[1], nil).fails(404, 404, "Route not found")
	}
	const noSignIn, noAccount = `The request body must contain "code" and "username"`, `The request body must ` +
		`contain "group" and "username"`
	for _, body := range []any{nil, `{}`, `{"username":"viewer"}`, `{"code":"123456"}`, `{"username":"","code":"1"}`,
		`{"username":"viewer","code":true}`} {
		anonymous.do("POST", "/api/v1/user/auth", body).fails(400, 901, noSignIn)
	}
	root.do("GET", "/api/v1/user/auth/setup/plain", nil).expect(200)
	for _, body := range []string{`{"username":"ghost","code":"123456"}`, `{"username":"viewer","code":"1"}`,
		`{"username":"..","code":123456}`,
		`{"username":"plain","code":"123456"}`, `{"username":"root","code":"123456"}`,
		`{"username":"ghost","code":"123456","password":"x"}`} {
		anonymous.do("POST", "/api/v1/user/auth", body).fails(400, 902, "TOTP code invalid")
	}
	for _, line := range [][2]string{{"GET", "/user/auth/setup/ghost"}, {"DELETE", "/user/delete/ghost"},
		{"DELETE", "/user/auth/revoke/ghost"}, {"DELETE", "/user/delete/.."}} {
		root.do(line[0], "/api/v1"+line[1], nil).fails(400, 903, "User not found")
	}
	for _, body := range []any{nil, `{}`, `{"username":"x"}`, `{"group":"viewer"}`, `{"username":".","group":"viewer"}`,
		`{"username":"root","group":""}`} {
		root.do("POST", "/api/v1/user/add", body).fails(400, 913, noAccount)
	}
	root.do("POST", "/api/v1/user/add", `{"username":"ROOT","group":"nonsense"}`).fails(400, 914,
		"Username is already taken")
	root.do("POST", "/api/v1/user/add", `{"username":"new","group":"nonsense"}`).fails(400, 905, "The group is unknown")
	root.do("POST", "/api/v1/user/add", `{"username":"new","group":"owner"}`).fails(403, 906,
		"The system cannot have multiple owners")

	root.do("POST", "/api/v1/user/add", `{`).failsUnnumbered(400)
	anonymous.do("POST", "/api/v1/user/auth", `{"username":`).failsUnnumbered(400)
	anonymous.do("POST", "/api/v1/user/auth", `{"username":1,"code":"1"}`).failsUnnumbered(400)
	anonymous.do("POST", "/api/v1/user/auth", `{}`, "Content-Type",
		"application/x-www-form-urlencoded").failsUnnumbered(415)
	anonymous.do("POST", "/api/v1/user/auth", `{"username":"`+strings.Repeat("x", 64<<10)+`"}`).failsUnnumbered(413)
	anonymous.do("POST", "/api/v1/user/auth/refresh", `{"grant_type":"password"}`).failsUnnumbered(400)
	root.do("DELETE", "/api/v1/user/delete/root", nil).failsUnnumbered(403)
	s.signIn("plain", "plain-password").box("theirs")
	root.do("DELETE", "/api/v1/user/delete/plain", nil).failsUnnumbered(409)
	anonymous.do("POST", "/api/v1/user/auth/refresh", refreshBody("x")).fails(401, 910, "Refresh token not found")

	require.Eventually(t, func() bool { return viewer.do("GET", "/whoami", nil).Status == 401 }, 10*time.Second,
		20*time.Millisecond)
	viewer.do("GET", "/api/v1/user/list", nil).fails(401, 909, "Access token expired")
	time.Sleep(time.Second) // the refresh token is revoked too; checking that would use it up
	anonymous.do("POST", "/api/v1/user/auth/refresh", refreshBody(pair.Refresh)).fails(401, 910,
		"Refresh token not found")
}

// TestTokenLocations covers the places in which the accounts API accepts a token: two spellings of the Authorization
// header, a header named Bearer, and the body.
func TestTokenLocations(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	anonymous := s.as("")
	key := root.token
	body := func(token string) map[string]string { return map[string]string{"access_token": token} }
	for _, got := range []*answer{
		anonymous.do("GET", "/api/v1/user/list", nil, "Authorization", "Bearer "+key),
		anonymous.do("GET", "/api/v1/user/list", nil, "Authorization", "Bearer: "+key),
		anonymous.do("GET", "/api/v1/user/list", nil, "Authorization", "bearer "+key),
		anonymous.do("GET", "/api/v1/user/list", nil, "Bearer", key),
		anonymous.do("GET", "/api/v1/user/list", body(key)),
		root.do("GET", "/api/v1/user/list", body(key)),
		anonymous.do("DELETE", "/api/v1/user/auth/revoke/root", body(key)),
		anonymous.do("POST", "/api/v1/user/add",
			map[string]string{"access_token": key, "username": "new", "group": "viewer"}),
	} {
		got.expect(200)
	}
	root.do("GET", "/api/v1/user/list", body("another")).failsUnnumbered(400)
	root.do("GET", "/api/v1/user/list", nil, "Bearer", "another").failsUnnumbered(400)
	anonymous.do("GET", "/api/v1/user/list", nil, "Authorization", "Basic "+key).fails(401, 908,
		"Access token not found")
	anonymous.do("GET", "/api/v1/user/list?access_token="+key, nil).fails(401, 908, "Access token not found")
	anonymous.do("GET", "/whoami", nil, "Authorization", "Bearer: "+key).refuses(401, "unauthenticated")
	anonymous.do("GET", "/whoami", body(key)).refuses(401, "unauthenticated")
	require.Equal(t, http.StatusUnauthorized,
		anonymous.do("GET", "/api/v1/user/list", `["access_token"]`, "Authorization", "Bearer x").Status)
}

// TestRefreshOnce verifies that exactly one of many concurrent refreshes with the same token succeeds, and that the
// token family is revoked afterwards.
func TestRefreshOnce(t *testing.T) {
	t.Parallel()
	c := startCluster(t, readCommitted)
	secret := c.root.member("anna", "viewer")
	for range repeats() {
		pair := c.a.signInWithCode("anna", secret)
		var requests []func() *answer
		for i := range 6 {
			requests = append(requests, func() *answer {
				return c.on(i).as("").do("POST", "/api/v1/user/auth/refresh", refreshBody(pair.Refresh))
			})
		}
		var won []tokenPair
		for _, got := range c.atOnce(requests...) {
			if got.Status == 200 {
				won = append(won, read[tokenPair](got))
				continue
			}
			got.fails(401, 910, "Refresh token not found")
		}
		require.Len(t, won, 1)
		c.b.as(won[0].Access).do("GET", "/whoami", nil).expect(401)
		c.b.as("").do("POST", "/api/v1/user/auth/refresh", refreshBody(won[0].Refresh)).expect(401)
	}
}

// TestHandOver verifies that concurrent handovers leave exactly one owner.
func TestHandOver(t *testing.T) {
	t.Parallel()
	c := startCluster(t, readCommitted)
	c.root.user("anna")
	bert := c.root.admin("bert")
	bert.do("PUT", "/users/anna", `{"group":"viewer"}`).refuses(403, "owner_only")
	bert.do("PUT", "/users/bert", `{"group":"owner"}`).refuses(403, "owner_only")
	c.root.do("PUT", "/users/anna", `{"group":"nonsense"}`).refuses(400, "unknown_group").about("group")
	c.root.do("PUT", "/users/anna", `{"group":"Viewer"}`).expect(204)
	c.root.do("PUT", "/users/anna", `{"group":"none"}`).expect(204)
	c.root.do("PUT", "/users/root", `{"group":"viewer"}`).refuses(409, "owner_stays")
	c.root.do("PUT", "/users/anna", `{"isActive":false}`).expect(204)
	c.root.do("PUT", "/users/anna", `{"group":"owner"}`).refuses(409, "new_owner_inactive")
	c.root.do("PUT", "/users/anna", `{"isActive":true}`).expect(204)
	holders := map[string]client{"root": c.root, "bert": bert, "anna": c.a.signIn("anna", "anna-password")}
	owner := "root"
	for range repeats() {
		var requests []func() *answer
		for name := range holders {
			if name != owner {
				requests = append(requests, func() *answer {
					return holders[owner].at(c.on(len(requests))).do("PUT", "/users/"+name, `{"group":"owner"}`)
				})
			}
		}
		won := 0
		for _, got := range c.atOnce(requests...) {
			if got.Status == 204 {
				won++
			} else {
				got.refuses(403, "owner_only")
			}
		}
		require.Equal(t, 1, won)
		owners := 0
		for name, holder := range holders {
			me := read[whoAmI](holder.do("GET", "/whoami", nil).expect(200))
			if me.Group != nil && *me.Group == "owner" {
				owners, owner = owners+1, name
				require.Equal(t, "admin", me.Role)
			}
		}
		require.Equal(t, 1, owners)
	}
}
