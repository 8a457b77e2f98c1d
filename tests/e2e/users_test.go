package e2e

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

type describedUser struct {
	Username    string   `json:"username"`
	Role        string   `json:"role"`
	IsActive    bool     `json:"isActive"`
	CreatedAt   string   `json:"createdAt"`
	UpdatedAt   string   `json:"updatedAt"`
	APIKeys     []string `json:"apiKeys"`
	Permissions []string `json:"permissions"`
}

func TestCreateUser(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	for name, test := range map[string]struct{ body, username, role string }{
		"the least":         {`{"username":"plain","password":"secret"}`, "plain", "user"},
		"null role":         {`{"username":"nulled","password":"secret","role":null}`, "nulled", "user"},
		"empty role":        {`{"username":"blank","password":"secret","role":""}`, "blank", "user"},
		"user":              {`{"username":"user","password":"secret","role":"user"}`, "user", "user"},
		"admin":             {`{"username":"boss","password":"secret","role":"admin"}`, "boss", "admin"},
		"other letter case": {`{"UserName":"Mixed.Case","PASSWORD":"secret","Role":"Admin"}`, "mixed.case", "admin"},
		"every separator":   {`{"username":"a.b_c-d","password":"secret"}`, "a.b_c-d", "user"},
		"one letter":        {`{"username":"x","password":"secret"}`, "x", "user"},
		"50 letters": {`{"username":"` + strings.Repeat("y", 50) + `","password":"secret"}`,
			strings.Repeat("y", 50), "user"},
		"long password":     {`{"username":"long","password":"` + strings.Repeat("ü", 100) + `"}`, "long", "user"},
		"password of words": {`{"username":"words","password":"  correct horse\t\u0000 "}`, "words", "user"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := root.in(t).do("POST", "/users", test.body).expect(201).isEmpty("").at("/users/" + test.username)
			me := read[whoAmI](s.as(got.Header.Get("X-API-Key")).in(t).do("GET", "/whoami", nil).expect(200))
			require.Equal(t, test.username, me.Username)
			require.Equal(t, test.role, me.Role)
		})
	}
}

func TestCreateUserBadInput(t *testing.T) {
	t.Parallel()
	root := start(t).initialize()
	root.user("taken")
	for name, test := range map[string]struct {
		body        string
		status      int
		code, field string
	}{
		"nothing":        {`{}`, 400, "username_required", "username"},
		"null":           {`null`, 400, "username_required", "username"},
		"empty username": {`{"username":"","password":"secret"}`, 400, "username_required", "username"},
		"no password":    {`{"username":"user1"}`, 400, "password_required", "password"},
		"short password": {`{"username":"user1","password":"fünfe"}`, 400, "invalid_password", "password"},
		"long password": {`{"username":"user1","password":"` + strings.Repeat("x", 101) + `"}`, 400,
			"invalid_password", "password"},
		"unknown role":  {`{"username":"user1","password":"secret","role":"owner"}`, 400, "unknown_role", "role"},
		"role of a box": {`{"username":"user1","password":"secret","role":"boxadmin"}`, 400, "unknown_role", "role"},
		"taken":         {`{"username":"taken","password":"secret"}`, 409, "user_exists", ""},
		"taken in caps": {`{"username":"TAKEN","password":"secret"}`, 409, "user_exists", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root.in(t).do("POST", "/users", test.body).refuses(test.status, test.code).about(test.field)
		})
	}
	for _, username := range []string{".a", "a.", "-a", "_a", "a..b", "a.-b", "a b", " a", "a/b", "a:b", "a@b", "ä",
		"a\x00", "a\n", "\u212a",
		strings.Repeat("x", 51), "🙂"} {
		t.Run("username "+username, func(t *testing.T) {
			t.Parallel()
			root.in(t).do("POST", "/users", map[string]string{"username": username, "password": "secret"}).refuses(400,
				"invalid_username").about("username")
		})
	}
}

func TestMinPasswordLength(t *testing.T) {
	t.Parallel()
	root := start(t, "MIN_PASSWORD_LENGTH=12").initialize()
	root.do("POST", "/users", `{"username":"user1","password":"elevenchars"}`).refuses(400, "invalid_password")
	root.do("POST", "/users", `{"username":"user1","password":"twelve-chars"}`).expect(201)
	root.do("PUT", "/users/user1", `{"password":"elevenchars"}`).refuses(400, "invalid_password")
}

// TestOpenRegistration tests a server that lets clients without a token create users. If the request does not contain
// an admin's token, the new user always gets the role "user". An admin can choose the role.
func TestOpenRegistration(t *testing.T) {
	t.Parallel()
	s := start(t, "REQUIRE_ADMIN_TO_CREATE_USER=false")
	root := s.initialize()
	roleOf := func(got *answer) string {
		return s.as(got.expect(201).Header.Get("X-API-Key")).do("GET", "/whoami", nil).expect(200).string("role")
	}
	user := s.as(s.as("").do("POST", "/users",
		`{"username":"user1","password":"secret"}`).expect(201).Header.Get("X-API-Key"))
	require.Equal(t, "user", roleOf(s.as("").do("POST", "/users",
		`{"username":"user2","password":"secret","role":"admin"}`)))
	require.Equal(t, "user", roleOf(user.do("POST", "/users",
		`{"username":"user3","password":"secret","role":"admin"}`)))
	require.Equal(t, "admin",
		roleOf(root.do("POST", "/users", `{"username":"admin1","password":"secret","role":"admin"}`)))
	require.Equal(t, "user", roleOf(root.do("POST", "/users", `{"username":"user4","password":"secret"}`)))
	s.as("").do("POST", "/users", `{"username":"user5","password":"secret","role":"king"}`).refuses(400, "unknown_role")
	s.as("").do("POST", "/users", `{"username":"user1","password":"secret"}`).refuses(409, "user_exists")
	s.as("nonsense").do("POST", "/users", `{"username":"user6","password":"secret"}`).refuses(401, "unauthenticated")
	user.do("GET", "/users", nil).refuses(403, "admin_only")
	s.as("").do("GET", "/users", nil).refuses(401, "unauthenticated")
}

func TestListUsers(t *testing.T) {
	t.Parallel()
	root := start(t).initialize()
	root.do("GET", "/users", nil).expect(200).is(`["root"]`)
	for _, name := range []string{"zoe", "adam", "a-b", "a.b", "a1"} {
		root.user(name)
	}
	root.do("PUT", "/users/zoe", `{"isActive":false}`).expect(204)
	root.do("GET", "/users", nil).expect(200).is(`["a-b","a.b","a1","adam","root","zoe"]`)
}

func TestDescribeUser(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	user := root.user("user1")
	for _, box := range []string{"one", "two", "three"} {
		root.box(box)
	}
	root.share("one", "user1", "deleteEntry")
	root.share("two", "user1", "readEntryKeys")
	root.share("three", "user1", allPermissions...)
	root.do("PUT", "/boxes/three/users/user1", `{"isActive":false}`).expect(204)
	for _, c := range []client{user, root} {
		got := c.do("GET", "/users/USER1", nil).expect(200).isJSON()
		seen := read[describedUser](got)
		require.Regexp(t, `^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$`, seen.CreatedAt)
		require.JSONEq(t, `{"username":"user1","role":"user","isActive":true,"createdAt":"`+seen.CreatedAt+
			`","updatedAt":"`+seen.UpdatedAt+`",
			"apiKeys":["`+user.keyID()+`"],"permissions":["readEntryKeys","deleteEntry"]}`, string(got.Body))
	}
	require.Contains(t, string(root.do("GET", "/users/root", nil).expect(200).Body),
		`"permissions":["readEntryKeys","readEntry","createEntry","deleteEntry"]`)
	root.user("user2")
	require.Contains(t, string(root.do("GET", "/users/user2", nil).expect(200).Body), `"permissions":[]`)
	root.do("PUT", "/users/user2", `{"isActive":false}`).expect(204)
	require.Contains(t, string(root.do("GET", "/users/user2", nil).expect(200).Body), `"isActive":false`)
	require.Contains(t, string(root.do("GET", "/users/user2", nil).expect(200).Body), `"apiKeys":[]`)
}

// TestUnknownUsers verifies that unknown names and invalid names get the same answer.
func TestUnknownUsers(t *testing.T) {
	t.Parallel()
	root := start(t).initialize()
	user := root.user("user1")
	for _, name := range []string{"unknown", "a%2Fb", "%252F", "%2e%2e", "..", "%00", "%ff", "user1%00", "user1%20",
		"%C3%A4", "user1%2Fapi", strings.Repeat("x", 51), strings.Repeat("x", 5000)} {
		t.Run(name[:min(len(name), 20)], func(t *testing.T) {
			t.Parallel()
			for _, method := range []string{"GET", "PUT", "DELETE"} {
				body := map[string]any{"GET": nil, "DELETE": nil, "PUT": `{"role":"user"}`}[method]
				root.in(t).do(method, "/users/"+name, body).refuses(404, "user_not_found")
				user.in(t).do(method, "/users/"+name, body).refuses(403, "admin_only")
			}
		})
	}
	got := root.do("GET", "/users/"+url.PathEscape("user1"), nil).expect(200)
	require.Equal(t, "user1", got.string("username"))
	root.do("GET", "/users/%75ser1", nil).expect(200)
}

// TestShowAPIKeys covers the setting SHOW_API_KEYS. With this setting, the description of a user contains whole API
// keys instead of their ids, and each such response is audited. Only the owner sees the owner's keys.
func TestShowAPIKeys(t *testing.T) {
	t.Parallel()
	s := start(t, "SHOW_API_KEYS=true")
	root := s.initialize()
	user := root.user("user1")
	expiring := user.issue(`{"expiry":"2100-01-01T00:00:00Z"}`)
	for _, c := range []client{user, root} {
		got := c.do("GET", "/users/user1", nil).expect(200)
		require.Equal(t, []string{user.token, expiring.token}, read[describedUser](got).APIKeys)
		require.Equal(t, "no-store", got.Header.Get("Cache-Control"))
	}
	require.Equal(t, []string{user.keyID(), expiring.keyID()},
		read[describedUser](expiring.do("GET", "/users/user1", nil)).APIKeys,
		"a key that ends gets at none that lives longer")
	require.Equal(t, []string{root.token}, read[describedUser](root.do("GET", "/users/root", nil)).APIKeys)
	admin := root.admin("admin1")
	require.Equal(t, []string{root.keyID()}, read[describedUser](admin.do("GET", "/users/root", nil)).APIKeys)
	require.Contains(t, string(root.do("GET", "/audit?action=api-key.show&limit=1&user=root", nil).expect(200).Body),
		`"target":"root"`)
	require.NotContains(t, string(root.do("GET", "/audit?limit=1000", nil).Body), user.token)
}

func TestDeleteUser(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	admin, user := root.admin("admin1"), root.user("user1")
	root.box("shared")
	root.share("shared", "user1", allPermissions...)
	user.put("shared", "mine", `1`).expect(201)
	user.box("first")
	user.box("second")
	got := admin.do("DELETE", "/users/user1", nil).refuses(409, "user_owns_boxes")
	require.Contains(t, got.problem().Detail, "first, second")
	user.do("DELETE", "/boxes/first", nil).expect(204)
	root.share("second", "root")
	root.do("PUT", "/boxes/second", `{"owner":"root"}`).expect(204)
	admin.do("DELETE", "/users/USER1", nil).expect(204).isEmpty("")
	admin.do("DELETE", "/users/user1", nil).refuses(404, "user_not_found")
	require.Equal(t, "1", string(root.get("shared", "mine").expect(200).Body), "what it wrote stays")
	root.do("GET", "/boxes/shared/users", nil).is(`["root"]`)
	require.Contains(t, string(root.do("GET", "/boxes/shared/entries/mine/versions", nil).Body), `"author":null`)

	admin.do("DELETE", "/users/root", nil).refuses(409, "owner_stays")
	root.do("DELETE", "/users/root", nil).refuses(409, "owner_stays")
	admin.do("DELETE", "/users/admin1", nil).expect(204)
	admin.do("GET", "/whoami", nil).refuses(401, "unauthenticated")
}
