package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSetPermissions(t *testing.T) {
	t.Parallel()
	root := start(t).initialize()
	root.box("default")
	for name, test := range map[string]struct {
		body any
		want string
	}{
		"a-all": {`["readEntryKeys","readEntry","createEntry","deleteEntry"]`,
			`["readEntryKeys","readEntry","createEntry","deleteEntry"]`},
		"b-order":       {`["deleteEntry","readEntryKeys"]`, `["readEntryKeys","deleteEntry"]`},
		"c-letter-case": {`["READENTRY","createentry"]`, `["readEntry","createEntry"]`},
		"d-repeated":    {`["readEntry","readentry","readEntry"]`, `["readEntry"]`},
		"e-none":        {`[]`, `[]`},
		"f-null":        {`null`, `[]`},
		"g-no-body":     {nil, `[]`},
		"h-empty":       {``, `[]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := root.in(t)
			user := c.user(name)
			c.do("POST", "/boxes/default/users", `{"username":"`+name+`"}`).expect(201)
			at := "/boxes/default/users/" + name + "/permissions"
			c.do("GET", at, nil).expect(200).is(`["readEntryKeys","readEntry"]`)
			c.do("PUT", at, test.body).expect(204).isEmpty("")
			c.do("GET", at, nil).expect(200).is(test.want)
			user.do("GET", at, nil).expect(200).is(test.want)
		})
	}
}

// TestUnknownPermissions verifies that one unknown permission rejects the whole request.
func TestUnknownPermissions(t *testing.T) {
	t.Parallel()
	root := start(t).initialize()
	root.user("user1")
	root.box("default")
	root.share("default", "user1", "createEntry")
	for name, body := range map[string]string{"unknown": `["readEntry","writeEntry"]`, "empty": `[""]`,
		"null": `["readEntry",null]`, "all": `["all"]`, "padded": `[" readEntry"]`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root.in(t).do("PUT", "/boxes/default/users/user1/permissions", body).refuses(400,
				"unknown_permission").about("permissions")
			root.in(t).do("GET", "/boxes/default/users/user1/permissions", nil).is(`["createEntry"]`)
		})
	}
}

func TestClearPermissions(t *testing.T) {
	t.Parallel()
	root := start(t).initialize()
	root.user("user1")
	root.box("default")
	root.share("default", "user1", allPermissions...)
	for range 2 {
		root.do("DELETE", "/boxes/default/users/user1/permissions", nil).expect(204).isEmpty("")
		root.do("GET", "/boxes/default/users/user1/permissions", nil).is(`[]`)
	}
	root.do("DELETE", "/boxes/default/users/root/permissions", nil).expect(204)
	root.put("default", "key", `1`).refuses(403, "permission_missing")
	root.do("PUT", "/boxes/default/users/root/permissions", allPermissions).expect(204)
	root.put("default", "key", `1`).expect(201)
}

// TestEachPermissionSeparately verifies that each permission allows only its own requests.
func TestEachPermissionSeparately(t *testing.T) {
	t.Parallel()
	root := start(t).initialize()
	user := root.user("user1")
	root.box("default")
	root.share("default", "user1")
	root.put("default", "key", `1`).expect(201)
	requests := []struct {
		name  string
		needs []string
		try   func() *answer
	}{
		{"list", []string{"readEntryKeys"}, func() *answer { return user.do("GET", "/boxes/default/entries", nil) }},
		{"versions", []string{"readEntryKeys"},
			func() *answer { return user.do("GET", "/boxes/default/entries/key/versions", nil) }},
		{"read", []string{"readEntry"}, func() *answer { return user.get("default", "key") }},
		{"read an old one", []string{"readEntry"}, func() *answer { return user.get("default", "key?version=1") }},
		{"write", []string{"createEntry"}, func() *answer { return user.put("default", "key", `2`) }},
		{"restore", []string{"readEntry", "createEntry"},
			func() *answer { return user.do("POST", "/boxes/default/entries/key/restore", `{"version":1}`) }},
		{"delete", []string{"deleteEntry"},
			func() *answer { return user.do("DELETE", "/boxes/default/entries/key", nil, "If-Match", `"999"`) }},
	}
	for set := range 1 << len(allPermissions) {
		held := map[string]bool{}
		granted := []string{}
		for i, name := range allPermissions {
			if set&(1<<i) != 0 {
				held[name] = true
				granted = append(granted, name)
			}
		}
		root.permit("default", "user1", granted...)
		for _, request := range requests {
			allowed := true
			for _, permission := range request.needs {
				allowed = allowed && held[permission]
			}
			got := request.try()
			require.Equal(t, !allowed, got.code() == "permission_missing", "%s with %v: %d %s", request.name, granted,
				got.Status, got.Body)
		}
	}
}

// TestPermissionChangeTakesEffectImmediately verifies that a change takes effect with the next request, for every kind
// of token.
func TestPermissionChangeTakesEffectImmediately(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	key := root.user("user1")
	session := s.signIn("user1", "user1-password")
	root.box("default")
	root.share("default", "user1")
	root.put("default", "key", `1`).expect(201)
	for _, c := range []client{key, session} {
		c.get("default", "key").refuses(403, "permission_missing")
		root.permit("default", "user1", "readEntry")
		c.get("default", "key").expect(200)
		root.permit("default", "user1")
		c.get("default", "key").refuses(403, "permission_missing")
	}
	root.do("DELETE", "/boxes/default/users/user1", nil).expect(204)
	key.get("default", "key").refuses(404, "box_not_found")
	root.share("default", "user1", "readEntry")
	key.get("default", "key").expect(200)
	root.do("DELETE", "/boxes/default", nil).expect(204)
	key.get("default", "key").refuses(404, "box_not_found")
}

// TestAuthorisationComesBeforeTheKey verifies that a caller without the permission always gets the same error. The
// error must not depend on the entry, its value or the encryption key in the request.
func TestAuthorisationComesBeforeTheKey(t *testing.T) {
	t.Parallel()
	root := start(t).initialize()
	user := root.user("user1")
	root.box("default")
	root.share("default", "user1")
	root.put("default", "key", `1`).expect(201)
	for name, key := range map[string]string{"right": generatedKey, "wrong": otherKey, "damaged": "lbk1_x",
		"empty": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := user.in(t)
			c.get("default", "key", "X-Encryption-Key", key).refuses(403, "permission_missing")
			c.get("default", "unknown", "X-Encryption-Key", key).refuses(403, "permission_missing")
			c.get("default", "key?version=77", "X-Encryption-Key", key).refuses(403, "permission_missing")
			c.put("default", "key", `2`, "X-Encryption-Key", key).refuses(403, "permission_missing")
			c.put("default", "not a key", `2`, "X-Encryption-Key", key).refuses(403, "permission_missing")
			c.put("default", "key", `2`, "X-Encryption-Key", key, "If-Match", `"77"`).refuses(403, "permission_missing")
			c.do("DELETE", "/boxes/default/entries/unknown", nil).refuses(403, "permission_missing")
			c.do("POST", "/boxes/default/entries/unknown/restore", `{"version":1}`).refuses(403, "permission_missing")
			c.do("GET", "/boxes/default/entries/unknown/versions", nil).refuses(403, "permission_missing")
			c.do("GET", "/boxes/default/entries?prefix=%20", nil).refuses(403, "permission_missing")
			c.get("other", "key", "X-Encryption-Key", key).refuses(404, "box_not_found")
		})
	}
}
