package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// boxState is the answer of GET /boxes/{box}.
type boxState struct {
	ID      string   `json:"id"`
	Owner   string   `json:"owner"`
	Entries []string `json:"entries"`
	Users   []struct {
		Username string `json:"username"`
		Role     string `json:"role"`
		IsActive bool   `json:"isActive"`
	} `json:"users"`
}

func (c client) state(name string) boxState {
	c.server.t.Helper()
	var state boxState
	require.NoError(c.server.t, json.Unmarshal(c.do("GET", "/boxes/"+name, nil).expect(200).Body, &state))
	return state
}

func TestCreateBox(t *testing.T) {
	t.Parallel()
	user := start(t).initialize().user("user1")
	for path, name := range map[string]string{
		"default": "default", "Mixed.Case_1-x": "mixed.case_1-x", "7": "7",
		strings.Repeat("b", 100): strings.Repeat("b", 100), "%62ox": "box",
	} {
		t.Run(name[:min(len(name), 20)], func(t *testing.T) {
			t.Parallel()
			user.in(t).do("POST", "/boxes/"+path, nil).expect(201).isEmpty("").at("/boxes/" + name)
			got := user.in(t).do("GET", "/boxes/"+strings.ToUpper(name)+"/users/user1", nil).expect(200).string("role")
			require.Equal(t, "boxadmin", got)
			user.in(t).do("GET", "/boxes/"+name+"/users/user1/permissions",
				nil).expect(200).is(`["readEntryKeys","readEntry","createEntry","deleteEntry"]`)
			user.in(t).do("POST", "/boxes/"+path, nil).refuses(409, "box_exists")
			user.in(t).do("POST", "/boxes/"+strings.ToUpper(name), nil).refuses(409, "box_exists")
		})
	}
	user.do("POST", "/boxes/with-body", `{"ignored":`, "Content-Type", "text/plain").expect(201)
}

// notBoxes lists path segments that are not valid box names.
var notBoxes = []string{".a", "a.", "-a", "a-", "_a", "a..b", "a._b", "a%20b", "%20", "a%2Fb", "a%252Fb", "a:b", "a@b",
	"%C3%A4", "%00", "a%00", "%ff", "..", ".",
	"%2e%2e", "a+b", "a%0a", "*", ":box", strings.Repeat("b", 101), strings.Repeat("b", 4000)}

func TestCreateBoxBadNames(t *testing.T) {
	t.Parallel()
	user := start(t).initialize().user("user1")
	for _, name := range notBoxes {
		t.Run(name[:min(len(name), 20)], func(t *testing.T) {
			t.Parallel()
			got := user.in(t).do("POST", "/boxes/"+name, nil).expect(400)
			require.Contains(t, []string{"invalid_box", "box_required"}, got.code())
			got.about("box")
		})
	}
	user.do("GET", "/boxes", nil).expect(200).is(`[]`)
}

// TestUnknownBoxes verifies that a missing box, an invalid name and a box of other users get the same answer.
func TestUnknownBoxes(t *testing.T) {
	t.Parallel()
	root := start(t).initialize()
	user := root.user("user1")
	root.box("foreign")
	const detail = "there is no such box, or you are not a member of it"
	for _, name := range append([]string{"unknown", "foreign", "FOREIGN"}, notBoxes...) {
		t.Run(name[:min(len(name), 20)], func(t *testing.T) {
			t.Parallel()
			for _, path := range []string{"", "/users", "/entries", "/audit", "/users/user1",
				"/users/user1/permissions", "/entries/x", "/entries/x/versions"} {
				got := user.in(t).do("GET", "/boxes/"+name+path, nil).refuses(404, "box_not_found")
				require.Equal(t, detail, got.problem().Detail)
			}
			user.in(t).do("DELETE", "/boxes/"+name, nil).refuses(404, "box_not_found")
			user.in(t).put(name, "x", "1").refuses(404, "box_not_found")
		})
	}
	root.do("GET", "/boxes/unknown", nil).refuses(404, "box_not_found")
}

func TestListBoxes(t *testing.T) {
	t.Parallel()
	root := start(t).initialize()
	user := root.user("user1")
	user.do("GET", "/boxes", nil).expect(200).is(`[]`)
	for _, name := range []string{"zebra", "a-b", "a.b", "a1", "alpha"} {
		user.box(name)
	}
	root.box("shared")
	root.box("private")
	root.box("left")
	root.share("shared", "user1")
	root.share("left", "user1", allPermissions...)
	root.do("PUT", "/boxes/left/users/user1", `{"isActive":false}`).expect(204)
	user.do("GET", "/boxes", nil).expect(200).is(`["a-b","a.b","a1","alpha","shared","zebra"]`)
	root.do("GET", "/boxes", nil).expect(200).is(`["left","private","shared"]`)
}

type describedBox struct {
	ID, Name, Owner, CreatedAt, UpdatedAt string
	Entries                               []string
	Users                                 []struct {
		Username, Role string
		IsActive       bool
	}
}

func TestDescribeBox(t *testing.T) {
	t.Parallel()
	root := start(t).initialize()
	owner, user := root.user("owner1"), root.user("user1")
	root.user("off")
	owner.box("default")
	owner.share("default", "user1", "readEntryKeys")
	owner.share("default", "off")
	owner.do("PUT", "/boxes/default/users/off", `{"isActive":false,"role":"boxadmin"}`).expect(204)
	for _, key := range []string{"b/c", "a", "b:c", "deleted"} {
		owner.put("default", key, `1`).expect(201)
	}
	owner.do("DELETE", "/boxes/default/entries/deleted", nil).expect(204)
	got := user.do("GET", "/boxes/DEFAULT", nil).expect(200).isJSON()
	box := read[describedBox](got)
	require.Regexp(t, `^[0-9a-f-]{36}$`, box.ID)
	require.Regexp(t, `^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$`, box.CreatedAt)
	require.Regexp(t, `^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$`, box.UpdatedAt)
	require.GreaterOrEqual(t, box.UpdatedAt, box.CreatedAt)
	require.JSONEq(t, `{"id":"`+box.ID+`","name":"default","owner":"owner1","createdAt":"`+box.CreatedAt+
		`","updatedAt":"`+box.UpdatedAt+`",
		"entries":["a","b/c","b:c"],"users":[{"username":"off","role":"boxadmin","isActive":false},
		{"username":"owner1","role":"boxadmin","isActive":true},
		{"username":"user1","role":"boxuser","isActive":true}]}`, string(got.Body))
	owner.permit("default", "user1", "readEntry")
	for _, c := range []client{user, root} {
		require.Contains(t, string(c.do("GET", "/boxes/default", nil).expect(200).Body), `"entries":[]`,
			"without readEntryKeys")
	}
}

// TestBoxTimestamps verifies that times are UTC with a resolution of one second. updatedAt is the time of the latest
// change of the box or of an entry in it.
func TestBoxTimestamps(t *testing.T) {
	t.Parallel()
	root := withBox(t)
	root.put("default", "one", `1`).expect(201)
	root.put("default", "two", `1`).expect(201)
	times := func() [2]string {
		box := read[describedBox](root.do("GET", "/boxes/default", nil).expect(200))
		return [2]string{box.CreatedAt, box.UpdatedAt}
	}
	run(t, root.server.db, `UPDATE boxes SET created_at = '2001-02-03 04:05:06.999+05', updated_at = '2002-01-01 `+
		`00:00:00Z'`)
	run(t, root.server.db, `UPDATE entries SET updated_at = CASE key WHEN 'one' THEN timestamptz '2001-01-01Z' ELSE `+
		`'2003-04-05 23:07:08.5-02' END`)
	require.Equal(t, [2]string{"2001-02-02 23:05:06", "2003-04-06 01:07:08"}, times())
	run(t, root.server.db, `UPDATE entries SET updated_at = '2001-01-01Z'`)
	require.Equal(t, [2]string{"2001-02-02 23:05:06", "2002-01-01 00:00:00"}, times())
	root.do("DELETE", "/boxes/default/entries/one", nil).expect(204)
	require.Greater(t, times()[1], "2020", "a deletion is a change")
}

// TestDeleteBox verifies that deleting a box removes all its data. A new box may have the same name.
func TestDeleteBox(t *testing.T) {
	t.Parallel()
	root := start(t).initialize()
	user := root.user("user1")
	user.box("default")
	user.share("default", "root", allPermissions...)
	user.put("default", "secret", `1`).expect(201)
	id := read[describedBox](user.do("GET", "/boxes/default", nil)).ID
	user.do("DELETE", "/boxes/Default", nil).expect(204).isEmpty("")
	user.do("DELETE", "/boxes/default", nil).refuses(404, "box_not_found")
	user.get("default", "secret").refuses(404, "box_not_found")
	user.do("GET", "/boxes", nil).is(`[]`)
	user.box("default")
	box := read[describedBox](user.do("GET", "/boxes/default", nil))
	require.NotEqual(t, id, box.ID)
	require.Len(t, box.Users, 1)
	user.get("default", "secret").refuses(404, "entry_not_found")
	user.do("POST", "/boxes/default/entries/secret/restore", `{"version":1}`).refuses(404, "entry_not_found")
	require.Equal(t, `"1"`, user.put("default", "secret", `2`).expect(201).Header.Get("ETag"))
}

func TestBoxesPerUser(t *testing.T) {
	t.Parallel()
	root := start(t, "MAX_BOXES_PER_USER=2").initialize()
	user, other, admin := root.user("user1"), root.user("user2"), root.admin("admin1")
	user.box("one")
	user.box("two")
	user.do("POST", "/boxes/three", nil).refuses(409, "limit_reached")
	for _, name := range []string{"a1", "a2", "a3"} {
		admin.box(name)
	}
	other.box("other")
	other.share("other", "user1")
	other.do("PUT", "/boxes/other", `{"owner":"user1"}`).expect(204)
	user.do("POST", "/boxes/other/offer/accept", nil).refuses(409, "limit_reached")
	root.do("PUT", "/boxes/other", `{"owner":"user1"}`).refuses(409, "limit_reached")
	user.do("DELETE", "/boxes/one", nil).expect(204)
	user.do("POST", "/boxes/other/offer/accept", nil).expect(204)
	user.do("POST", "/boxes/three", nil).refuses(409, "limit_reached")
}

func TestBoxesWithoutALimit(t *testing.T) {
	t.Parallel()
	user := start(t, "MAX_BOXES_PER_USER=0").initialize().user("user1")
	user.box("one")
}

func TestTransferBox(t *testing.T) {
	t.Parallel()
	root := start(t).initialize()
	owner, heir := root.user("owner1"), root.user("heir")
	owner.box("default")
	owner.share("default", "heir", "readEntry")
	owner.do("PUT", "/boxes/DEFAULT", `{"Owner":"HEIR"}`).expect(204).isEmpty("")
	require.Equal(t, "owner1", read[describedBox](owner.do("GET", "/boxes/default", nil).expect(200)).Owner, "an offer")
	heir.do("POST", "/boxes/default/offer/accept", nil).expect(204).isEmpty("")
	box := read[describedBox](owner.do("GET", "/boxes/default", nil).expect(200))
	require.Equal(t, "heir", box.Owner)
	require.Equal(t, "boxadmin", heir.do("GET", "/boxes/default/users/heir", nil).string("role"))
	heir.do("GET", "/boxes/default/users/heir/permissions", nil).is(`["readEntry"]`)
	require.Equal(t, "boxadmin", owner.do("GET", "/boxes/default/users/owner1", nil).string("role"),
		"the former owner stays what it was")
	owner.do("PUT", "/boxes/default", `{"owner":"owner1"}`).refuses(403, "box_owner_only")
	heir.do("DELETE", "/boxes/default/users/heir", nil).refuses(409, "box_owner_stays")
	heir.do("DELETE", "/boxes/default/users/owner1", nil).expect(204)
	heir.do("PUT", "/boxes/default", `{"owner":"heir"}`).expect(204)
	require.Equal(t, 1, strings.Count(string(heir.do("GET", "/boxes/default/audit?action=box.transfer", nil).Body),
		`"target":"heir"`),
		"what it is already, it does not become")
}

func TestTransferBoxToOthers(t *testing.T) {
	t.Parallel()
	root := start(t).initialize()
	owner := root.user("owner1")
	for _, name := range []string{"outside", "off", "gone", "deputy"} {
		root.user(name)
	}
	owner.box("default")
	for _, name := range []string{"off", "gone", "deputy"} {
		owner.share("default", name)
	}
	owner.do("PUT", "/boxes/default/users/off", `{"isActive":false}`).expect(204)
	root.do("PUT", "/users/gone", `{"isActive":false}`).expect(204)
	for name, test := range map[string]struct {
		body   string
		status int
		code   string
	}{
		"nothing":             {`{}`, 400, "invalid_owner"},
		"null":                {`{"owner":null}`, 400, "invalid_owner"},
		"empty":               {`{"owner":""}`, 400, "invalid_owner"},
		"wrong characters":    {`{"owner":"a b"}`, 400, "invalid_owner"},
		"unknown":             {`{"owner":"unknown"}`, 404, "user_not_found"},
		"not in the box":      {`{"owner":"outside"}`, 409, "new_owner_not_in_box"},
		"inactive in the box": {`{"owner":"off"}`, 409, "new_owner_not_in_box"},
		"inactive itself":     {`{"owner":"gone"}`, 409, "new_owner_not_in_box"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			owner.in(t).do("PUT", "/boxes/default", test.body).refuses(test.status, test.code)
			require.Equal(t, "owner1", read[describedBox](owner.in(t).do("GET", "/boxes/default", nil)).Owner)
		})
	}
}
