package e2e

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAddBoxUser(t *testing.T) {
	t.Parallel()
	root := start(t).initialize()
	owner := root.user("owner1")
	owner.box("default")
	for name, test := range map[string]struct{ body, role string }{
		"plain":     {`{"username":"plain"}`, "boxuser"},
		"nulled":    {`{"username":"nulled","role":null}`, "boxuser"},
		"blank":     {`{"username":"blank","role":""}`, "boxuser"},
		"boxuser":   {`{"username":"boxuser","role":"boxuser"}`, "boxuser"},
		"boxadmin":  {`{"username":"boxadmin","role":"boxadmin"}`, "boxadmin"},
		"mixed.one": {`{"USERNAME":"Mixed.One","Role":"BoxAdmin"}`, "boxadmin"},
		"inactive":  {`{"username":"inactive"}`, "boxuser"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root.in(t).user(name)
			if name == "inactive" {
				root.in(t).do("PUT", "/users/inactive", `{"isActive":false}`).expect(204)
			}
			owner.in(t).do("POST", "/boxes/DEFAULT/users",
				test.body).expect(201).isEmpty("").at("/boxes/default/users/" + name)
			got := owner.in(t).do("GET", "/boxes/default/users/"+strings.ToUpper(name), nil).expect(200)
			got.is(`{"username":"` + name + `","role":"` + test.role +
				`","isActive":true,"permissions":["readentrykeys","readentry"]}`)
			owner.in(t).do("POST", "/boxes/default/users", test.body).refuses(409, "box_user_exists")
		})
	}
}

func TestAddBoxUserBadInput(t *testing.T) {
	t.Parallel()
	root := start(t).initialize()
	root.user("user1")
	root.box("default")
	for name, test := range map[string]struct {
		body        string
		status      int
		code, field string
	}{
		"nothing":            {`{}`, 400, "username_required", "username"},
		"null":               {`null`, 400, "username_required", "username"},
		"empty":              {`{"username":""}`, 400, "username_required", "username"},
		"wrong characters":   {`{"username":"a b"}`, 400, "invalid_username", "username"},
		"too long":           {`{"username":"` + strings.Repeat("x", 51) + `"}`, 400, "invalid_username", "username"},
		"unknown role":       {`{"username":"user1","role":"boss"}`, 400, "unknown_role", "role"},
		"role of the system": {`{"username":"user1","role":"admin"}`, 400, "unknown_role", "role"},
		"unknown user":       {`{"username":"unknown"}`, 404, "user_not_found", ""},
		"the owner":          {`{"username":"root"}`, 409, "box_user_exists", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root.in(t).do("POST", "/boxes/default/users", test.body).refuses(test.status, test.code).about(test.field)
			root.in(t).do("GET", "/boxes/default/users", nil).is(`["root"]`)
		})
	}
	root.do("POST", "/boxes/unknown/users", `{"username":"user1"}`).refuses(404, "box_not_found")
}

func TestUsersPerBox(t *testing.T) {
	t.Parallel()
	root := start(t, "MAX_USERS_PER_BOX=2").initialize()
	root.user("user1")
	root.user("user2")
	root.box("default")
	root.share("default", "user1")
	root.do("POST", "/boxes/default/users", `{"username":"user2"}`).refuses(409, "limit_reached")
	root.do("GET", "/boxes/default/users", nil).is(`["root","user1"]`)
	root.do("PUT", "/boxes/default/users/user1", `{"isActive":false}`).expect(204)
	root.do("POST", "/boxes/default/users", `{"username":"user2"}`).refuses(409, "limit_reached")
	root.do("DELETE", "/boxes/default/users/user1", nil).expect(204)
	root.do("POST", "/boxes/default/users", `{"username":"user2"}`).expect(201)
}

func TestListBoxUsers(t *testing.T) {
	t.Parallel()
	root := start(t).initialize()
	root.box("default")
	for _, name := range []string{"zoe", "a.b", "a1"} {
		root.user(name)
		root.share("default", name)
	}
	root.do("PUT", "/boxes/default/users/zoe", `{"isActive":false}`).expect(204)
	root.do("GET", "/boxes/Default/users", nil).expect(200).is(`["a.b","a1","root","zoe"]`)
}

// TestDescribeBoxUser reads the permissions of a box user from two routes. The description of the user has the names in
// lower case, and …/permissions has them in camel case. Both list the permissions in the same fixed order.
func TestDescribeBoxUser(t *testing.T) {
	t.Parallel()
	root := start(t).initialize()
	user := root.user("user1")
	root.user("user2")
	root.box("default")
	root.share("default", "user1", "deleteEntry", "createEntry", "readEntry", "readEntryKeys")
	root.share("default", "user2")
	for _, c := range []client{root, user} {
		c.do("GET", "/boxes/default/users/User1", nil).expect(200).
			is(`{"username":"user1","role":"boxuser","isActive":true,"permissions":["readentrykeys","readentry",` +
				`"createentry","deleteentry"]}`)
		c.do("GET", "/boxes/default/users/User1/permissions",
			nil).expect(200).is(`["readEntryKeys","readEntry","createEntry","deleteEntry"]`)
	}
	root.do("GET", "/boxes/default/users/user2",
		nil).expect(200).is(`{"username":"user2","role":"boxuser","isActive":true,"permissions":[]}`)
	root.do("GET", "/boxes/default/users/user2/permissions", nil).expect(200).is(`[]`)
	user.do("GET", "/boxes/default/users/user2", nil).refuses(403, "box_admin_only")
	user.do("GET", "/boxes/default/users/user2/permissions", nil).refuses(403, "box_admin_only")
}

// TestUnknownBoxUsers verifies the answers for users who are not in the box: 404 to a boxadmin, 403 to a plain member.
func TestUnknownBoxUsers(t *testing.T) {
	t.Parallel()
	root := start(t).initialize()
	user := root.user("user1")
	root.user("outside")
	root.box("default")
	root.share("default", "user1")
	for _, name := range []string{"unknown", "outside", "a%2Fb", "%252F", "..", "%2e%2e", "%00", "user1%00", "%ff",
		"a:b", "%C3%A4", strings.Repeat("x", 51), strings.Repeat("x", 4000)} {
		t.Run(name[:min(len(name), 20)], func(t *testing.T) {
			t.Parallel()
			at := "/boxes/default/users/" + name
			for _, request := range [][3]string{{"GET", at, ""}, {"PUT", at, `{"role":"boxuser"}`}, {"DELETE", at, ""},
				{"GET", at + "/permissions", ""},
				{"PUT", at + "/permissions", `[]`}, {"DELETE", at + "/permissions", ""}} {
				root.in(t).do(request[0], request[1], request[2]).refuses(404, "box_user_not_found")
				user.in(t).do(request[0], request[1], request[2]).refuses(403, "box_admin_only")
			}
		})
	}
}

func TestUpdateBoxUser(t *testing.T) {
	t.Parallel()
	root := start(t).initialize()
	root.box("default")
	for name, test := range map[string]struct {
		body any
		want string
	}{
		"a-role":      {`{"role":"boxadmin"}`, `"role":"boxadmin","isActive":true`},
		"b-case":      {`{"ROLE":"BoxAdmin","isactive":true}`, `"role":"boxadmin","isActive":true`},
		"c-state":     {`{"isActive":false}`, `"role":"boxuser","isActive":false`},
		"d-both":      {`{"role":"boxadmin","isActive":false}`, `"role":"boxadmin","isActive":false`},
		"e-nothing":   {`{}`, `"role":"boxuser","isActive":true`},
		"f-nulls":     {`{"role":null,"isActive":null}`, `"role":"boxuser","isActive":true`},
		"g-null":      {`null`, `"role":"boxuser","isActive":true`},
		"h-no-body":   {nil, `"role":"boxuser","isActive":true`},
		"i-empty-one": {"", `"role":"boxuser","isActive":true`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := root.in(t)
			c.user(name)
			c.share("default", name, "createEntry")
			c.do("PUT", "/boxes/default/users/"+name, test.body).expect(204).isEmpty("application/json")
			c.do("GET", "/boxes/default/users/"+name, nil).is(`{"username":"` + name + `",` + test.want +
				`,"permissions":["createentry"]}`)
		})
	}
}

func TestUpdateBoxUserBadRole(t *testing.T) {
	t.Parallel()
	root := start(t).initialize()
	root.user("user1")
	root.box("default")
	root.share("default", "user1")
	for _, role := range []string{"", "admin", "owner", "boxadmin "} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			root.in(t).do("PUT", "/boxes/default/users/user1",
				map[string]any{"role": role, "isActive": false}).refuses(400, "unknown_role").about("role")
			require.Contains(t, string(root.in(t).do("GET", "/boxes/default/users/user1", nil).Body), `"isActive":true`,
				"nothing changes")
		})
	}
}

// TestBoxOwnerCannotBeRemoved verifies that no caller can remove, demote or deactivate the owner of a box.
func TestBoxOwnerCannotBeRemoved(t *testing.T) {
	t.Parallel()
	root := start(t).initialize()
	owner, deputy := root.user("owner1"), root.user("deputy")
	owner.box("default")
	owner.share("default", "deputy")
	owner.do("PUT", "/boxes/default/users/deputy", `{"role":"boxadmin"}`).expect(204)
	for name, c := range map[string]client{"admin": root, "owner": owner, "deputy": deputy} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, body := range []string{`{"role":"boxuser"}`, `{"isActive":false}`,
				`{"role":"boxadmin","isActive":false}`} {
				c.in(t).do("PUT", "/boxes/default/users/owner1", body).refuses(409, "box_owner_stays")
			}
			c.in(t).do("DELETE", "/boxes/default/users/owner1", nil).refuses(409, "box_owner_stays")
			c.in(t).do("PUT", "/boxes/default/users/owner1", `{"role":"boxadmin","isActive":true}`).expect(204)
		})
	}
}

// TestBoxAdminRemovesBoxAdmin verifies that a boxadmin can remove other boxadmins and itself.
func TestBoxAdminRemovesBoxAdmin(t *testing.T) {
	t.Parallel()
	root := start(t).initialize()
	root.box("default")
	first, second := root.user("first"), root.user("second")
	for _, name := range []string{"first", "second"} {
		root.share("default", name)
		root.do("PUT", "/boxes/default/users/"+name, `{"role":"boxadmin"}`).expect(204)
	}
	first.do("PUT", "/boxes/default/users/second", `{"role":"boxuser"}`).expect(204)
	second.do("DELETE", "/boxes/default/users/first", nil).refuses(403, "box_admin_only")
	first.do("DELETE", "/boxes/default/users/second", nil).expect(204).isEmpty("")
	second.do("GET", "/boxes/default", nil).refuses(404, "box_not_found")
	first.do("DELETE", "/boxes/default/users/first", nil).expect(204)
	first.do("GET", "/boxes/default", nil).refuses(404, "box_not_found")
}

// TestInactiveBoxUser verifies that an inactive member has no access, and that reactivation restores the same access.
func TestInactiveBoxUser(t *testing.T) {
	t.Parallel()
	root := start(t).initialize()
	user := root.user("user1")
	root.box("default")
	root.put("default", "key", `1`).expect(201)
	root.share("default", "user1", "readEntry")
	user.get("default", "key").expect(200)
	root.do("PUT", "/boxes/default/users/user1", `{"isActive":false}`).expect(204)
	user.get("default", "key").refuses(404, "box_not_found")
	user.do("GET", "/boxes/default/users/user1", nil).refuses(404, "box_not_found")
	user.do("GET", "/boxes", nil).is(`[]`)
	root.do("PUT", "/boxes/default/users/user1", `{"isActive":true}`).expect(204)
	user.get("default", "key").expect(200)
}

// TestAdminAsBoxMember verifies that a system admin needs the permissions of a member to read entries in a box.
func TestAdminAsBoxMember(t *testing.T) {
	t.Parallel()
	root := start(t).initialize()
	admin := root.admin("admin1")
	owner := root.user("owner1")
	owner.box("default")
	owner.put("default", "key", `1`).expect(201)
	admin.get("default", "key").refuses(403, "permission_missing")
	admin.share("default", "admin1", "readEntry")
	admin.get("default", "key").expect(200)
	owner.do("PUT", "/boxes/default/users/admin1", `{"isActive":false}`).expect(204)
	admin.get("default", "key").refuses(403, "permission_missing")
	admin.do("PUT", "/boxes/default/users/admin1", `{"isActive":true}`).expect(204)
	admin.get("default", "key").expect(200)
}
