package e2e

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type auditLine struct {
	ID, At, Action, Outcome                                                   string
	Actor, ActorID, CredentialID, Box, BoxID, Key, Target, RequestID, Address *string
	Suppressed                                                                int
}

type auditPage struct {
	Events []auditLine `json:"events"`
	Next   *string     `json:"next"`
}

// audit returns a page of the audit log. The query argument must be empty or begin with "?".
func (c client) audit(path, query string) auditPage {
	c.server.t.Helper()
	return read[auditPage](c.do("GET", path+query, nil).expect(200).isJSON())
}

// sentence formats an event as "actor action outcome box key target", with "-" for null.
func (e auditLine) sentence() string {
	text := func(of *string) string {
		if of == nil {
			return "-"
		}
		return *of
	}
	return strings.Join([]string{text(e.Actor), e.Action, e.Outcome, text(e.Box), text(e.Key), text(e.Target)}, " ")
}

func sentences(page auditPage) []string {
	list := []string{}
	for i := len(page.Events) - 1; i >= 0; i-- {
		list = append(list, page.Events[i].sentence())
	}
	return list
}

// TestEveryOperationIsAudited verifies that the audit log holds one event for every operation, in the order of
// execution.
func TestEveryOperationIsAudited(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	user := root.user("user1")
	spare := root.issue(nil)
	id := spare.keyID()
	root.do("DELETE", "/api-keys/"+spare.token, nil).expect(204)
	s.signIn("user1", "user1-password")
	root.do("PUT", "/users/user1", `{"role":"user"}`).expect(204)
	root.do("PUT", "/users/user1", `{"password":"new-password"}`).expect(204)
	root.box("default")
	root.share("default", "user1", "readEntry")
	root.do("PUT", "/boxes/default/users/user1", `{"role":"boxadmin"}`).expect(204)
	root.put("default", "a/b", `1`).expect(201)
	user.get("default", "a%2Fb").expect(200)
	root.restore("default", "a%2Fb", 1).expect(201)
	root.do("DELETE", "/boxes/default/entries/a%2Fb", nil).expect(204)
	root.do("PUT", "/boxes/default", `{"owner":"user1"}`).expect(204)
	root.do("DELETE", "/boxes/default/users/root", nil).expect(204)
	root.do("DELETE", "/boxes/default", nil).expect(204)
	root.do("DELETE", "/users/user1", nil).expect(204)
	require.Equal(t, []string{
		"root system.initialize success - - root",
		"root user.create success - - user1",
		"root api-key.create success - - " + id,
		"root api-key.delete success - - " + id,
		"user1 session.create success - - user1",
		"root user.update success - - user1",
		"root user.password success - - user1",
		"root box.create success default - -",
		"root box-user.add success default - user1",
		"root box-user.permissions success default - user1",
		"root box-user.update success default - user1",
		"root entry.write success default a/b -",
		"user1 entry.read success default a/b -",
		"root entry.restore success default a/b -",
		"root entry.delete success default a/b -",
		"root box.transfer success default - user1",
		"root box-user.remove success default - root",
		"root box.delete success default - -",
		"root user.delete success - - user1",
	}, sentences(root.audit("/audit", "")))
}

// TestAuditedRefusals covers audited refusals: failed sign-ins and refused access to entries. The name of an unknown
// user is omitted, because it may be a password.
func TestAuditedRefusals(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	user := root.user("user1")
	root.box("default")
	root.share("default", "user1")
	root.put("default", "key", `1`).expect(201)
	last := root.audit("/audit", "?limit=1").Events[0].ID
	after := func() []string {
		list := []string{}
		for _, event := range root.audit("/audit", "").Events {
			if event.ID == last {
				break
			}
			list = append(list, event.sentence())
		}
		return list
	}
	for _, test := range []struct {
		name string
		do   func()
		want string
	}{
		{"wrong password", func() { s.as("").do("POST", "/authenticate", `{"username":"user1","password":"wrong"}`) },
			"- session.create denied - - user1"},
		{"unknown user", func() { s.as("").do("POST", "/authenticate", `{"username":"hunter2","password":"wrong"}`) },
			"- session.create denied - - -"},
		{"wrong current password",
			func() { user.do("PUT", "/users/user1", `{"password":"new-password","currentPassword":"wrong"}`) },
			"user1 user.password denied - - user1"},
		{"read", func() { user.get("default", "key") }, "user1 entry.read denied default key -"},
		{"read of what is not there", func() { user.get("default", "other") },
			"user1 entry.read denied default other -"},
		{"write", func() { user.put("default", "key", `2`) }, "user1 entry.write denied default key -"},
		{"restore", func() { user.restore("default", "key", 1) }, "user1 entry.restore denied default key -"},
		{"deletion", func() { user.do("DELETE", "/boxes/default/entries/key", nil) },
			"user1 entry.delete denied default key -"},
		{"wrong key", func() { root.get("default", "key", "X-Encryption-Key", otherKey) },
			"root entry.read denied default key -"},
		{"in no box of its", func() { user.get("unknown", "key") }, "user1 entry.read denied - key -"},
	} {
		before := len(after())
		test.do()
		got := after()
		require.Len(t, got, before+1, test.name)
		require.Equal(t, test.want, got[0], test.name)
	}
	require.NotContains(t, string(root.do("GET", "/audit?limit=1000", nil).Body), "hunter2")
}

// TestEventFields checks every field of an event, and verifies that no field holds a value, a key or a token.
func TestEventFields(t *testing.T) {
	t.Parallel()
	root := start(t).initialize()
	root.box("default")
	before := time.Now().Add(-time.Second)
	root.put("default", "key", `"the-value"`, "X-Request-Id", "the-request").expect(201)
	got := root.do("GET", "/audit?limit=1", nil).expect(200)
	event := read[auditPage](got).Events[0]
	box := read[describedBox](root.do("GET", "/boxes/default", nil))
	me := read[whoAmI](root.do("GET", "/whoami", nil))
	require.JSONEq(t, `{"events":[{"id":"`+event.ID+`","at":"`+event.At+
		`","action":"entry.write","outcome":"success","actor":"root","actorId":"`+*event.ActorID+`",
		"credentialId":"`+me.Token.ID+`","box":"default","boxId":"`+box.ID+
		`","key":"key","target":null,"requestId":"the-request","address":"127.0.0.1"}],"next":"`+event.ID+`"}`,
		string(got.Body))
	at, err := time.Parse(time.RFC3339Nano, event.At)
	require.NoError(t, err)
	require.WithinRange(t, at, before, time.Now().Add(time.Second))
	require.True(t, strings.HasSuffix(event.At, "Z"))
	for _, secret := range []string{"the-value", generatedKey, root.token} {
		require.NotContains(t, string(root.do("GET", "/audit", nil).Body), secret)
	}
}

func TestAuditPages(t *testing.T) {
	t.Parallel()
	root := start(t).initialize()
	root.box("default")
	for i := range 9 {
		root.put("default", fmt.Sprint("key", i), `1`).expect(201)
	}
	whole := root.audit("/audit", "")
	require.Len(t, whole.Events, 11)
	require.Nil(t, whole.Next)
	for _, size := range []int{1, 2, 5, 10, 11, 12, 1000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			var events []auditLine
			before := ""
			for range 20 {
				page := root.in(t).audit("/audit", fmt.Sprintf("?limit=%d%s", size, before))
				require.LessOrEqual(t, len(page.Events), size)
				events = append(events, page.Events...)
				if page.Next == nil {
					break
				}
				require.Len(t, page.Events, size)
				before = "&before=" + *page.Next
			}
			require.Equal(t, whole.Events, events, "newest first, none twice, none left out")
		})
	}
	require.Contains(t, string(root.do("GET", "/audit?before=00000000-0000-7000-8000-000000000000",
		nil).expect(200).Body), `{"events":[],"next":null}`)
}

func TestAuditFilters(t *testing.T) {
	t.Parallel()
	root := start(t).initialize()
	user := root.user("user1")
	root.box("default")
	root.share("default", "user1", "readEntry", "createEntry")
	user.put("default", "key", `1`).expect(201)
	user.get("default", "key").expect(200)
	root.get("default", "key").expect(200)
	for query, want := range map[string][]string{
		"?action=entry.read": {"user1 entry.read success default key -",
			"root entry.read success default key -"},
		"?action=entry.read&user=user1": {"user1 entry.read success default key -"},
		"?user=USER1": {"user1 entry.write success default key -",
			"user1 entry.read success default key -"},
		"?user=user1&limit=1":             {"user1 entry.read success default key -"},
		"?action=box.delete":              {},
		"?user=unknown":                   {},
		"?user=(terminal)":                {},
		"?limit=&before=&action=&user=&x": {"", "", "", "", "", "", "", ""},
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			got := sentences(root.in(t).audit("/audit", query))
			if len(want) == 8 {
				require.Len(t, got, 8, "empty parameters narrow nothing")
				return
			}
			require.Equal(t, want, got)
		})
	}
}

func TestAuditBadParameters(t *testing.T) {
	t.Parallel()
	root := start(t).initialize()
	root.box("default")
	for query, code := range map[string]string{
		"limit=0": "invalid_limit", "limit=-1": "invalid_limit", "limit=1001": "invalid_limit",
		"limit=ten": "invalid_limit", "limit=1.5": "invalid_limit", "limit=99999999999999999999": "invalid_limit",
		"before=1": "invalid_before", "before=not-an-id": "invalid_before", "before=%00": "invalid_before",
		"action=read": "unknown_action", "action=ENTRY.READ": "unknown_action", "action=%00": "unknown_action",
		"user=a%20b": "invalid_user", "user=%00": "invalid_user", "user=%ff": "invalid_user",
		"user=" + strings.Repeat("x", 51): "invalid_user", "user=()": "invalid_user",
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			for _, path := range []string{"/audit", "/boxes/default/audit"} {
				root.in(t).do("GET", path+"?"+query, nil).refuses(400, code).about(query[:strings.IndexByte(query,
					'=')])
			}
		})
	}
}

// TestAuditOfABox verifies that the audit log of a box excludes the events of an earlier box with the same name. The
// audit log of the system holds the events of both boxes.
func TestAuditOfABox(t *testing.T) {
	t.Parallel()
	root := start(t).initialize()
	user := root.user("user1")
	user.box("default")
	user.put("default", "old", `1`).expect(201)
	user.box("other")
	user.do("DELETE", "/boxes/default", nil).expect(204)
	user.box("default")
	user.put("default", "new", `1`).expect(201)
	for _, c := range []client{user, root} {
		require.Equal(t, []string{"user1 box.create success default - -", "user1 entry.write success default new -"},
			sentences(c.audit("/boxes/DEFAULT/audit", "")))
		require.Equal(t, []string{"user1 entry.write success default new -"},
			sentences(c.audit("/boxes/default/audit", "?limit=1")))
		require.Equal(t, []string{"user1 box.create success default - -"},
			sentences(c.audit("/boxes/default/audit", "?action=box.create&user=user1")))
	}
	require.Contains(t, sentences(root.audit("/audit", "")), "user1 entry.write success default old -")
	require.Contains(t, sentences(root.audit("/audit", "")), "user1 box.delete success default - -")
}

// TestAddresses verifies which peers may set the client address with X-Forwarded-For.
func TestAddresses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		trusted   string
		forwarded string
		want      string
	}{
		"no header":                       {"", "", "127.0.0.1"},
		"a header from anonymous trusted": {"", "203.0.113.7", "127.0.0.1"},
		"another network trusted":         {"10.0.0.0/8", "203.0.113.7", "127.0.0.1"},
		"from a trusted proxy":            {"127.0.0.1/32", "203.0.113.7", "203.0.113.7"},
		"without a header from it":        {"127.0.0.1/32", "", "127.0.0.1"},
		"made up before the proxy's word": {"127.0.0.1/32", "1.2.3.4, 203.0.113.7", "203.0.113.7"},
		"a chain of trusted proxies": {"127.0.0.1/32,10.0.0.0/8", "1.2.3.4, 203.0.113.7, 10.1.2.3",
			"203.0.113.7"},
		"a private address is no proxy": {"127.0.0.1/32", "203.0.113.7, 10.1.2.3", "10.1.2.3"},
		"IPv6":                          {"127.0.0.1/32", "2001:db8::1", "2001:db8::1"},
		"IPv6 in brackets":              {"127.0.0.1/32", "[2001:DB8:0::1]", "2001:db8::1"},
		"nonsense":                      {"127.0.0.1/32", "<script>", "127.0.0.1"},
		"nonsense before a good one":    {"127.0.0.1/32", "x, 203.0.113.7", "203.0.113.7"},
		"all of them trusted":           {"127.0.0.1/32,203.0.113.0/24", "203.0.113.7", "203.0.113.7"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := start(t, "TRUSTED_PROXIES="+test.trusted).initialize()
			var headers []string
			if test.forwarded != "" {
				headers = []string{"X-Forwarded-For", test.forwarded, "X-Real-IP", "198.51.100.1"}
			}
			root.do("POST", "/boxes/default", nil, headers...).expect(201)
			require.Equal(t, test.want, *root.audit("/audit", "?action=box.create").Events[0].Address)
			untrusted := test.forwarded != "" && !strings.HasPrefix(test.trusted, "127.")
			require.Equal(t, untrusted, strings.Contains(root.server.log.String(), "not in LOCKBOX_TRUSTED_PROXIES"))
		})
	}
}

// TestEventsOutliveTheirObjects verifies that the events of a deleted user and a deleted box remain. A new user and a
// new box then get the names of the deleted ones. The ids in the events must distinguish the new objects from the
// deleted ones.
func TestEventsOutliveTheirObjects(t *testing.T) {
	t.Parallel()
	root := start(t).initialize()
	first := root.user("user1")
	first.box("default")
	first.do("DELETE", "/boxes/default", nil).expect(204)
	root.do("DELETE", "/users/user1", nil).expect(204)
	root.user("user1").box("default")
	events := root.audit("/audit", "?"+url.Values{"action": {"box.create"}, "user": {"user1"}}.Encode()).Events
	require.Len(t, events, 2)
	require.NotEqual(t, *events[0].ActorID, *events[1].ActorID)
	require.NotEqual(t, *events[0].BoxID, *events[1].BoxID)
}

// TestRepeatedRefusalsAreCounted sends many refused requests. The server writes one event for each of the first ten
// refusals of the same kind. It counts further refusals without writing an event for each, and writes an event with
// their number when it stops.
func TestRepeatedRefusalsAreCounted(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	user := root.user("user1")
	root.box("default")
	root.share("default", "user1", "createEntry")
	root.put("default", "key", `1`).expect(201)
	for range 15 {
		user.get("default", "key").expect(403)
		user.get("unknown", "key").expect(404)
		user.put("default", "key", `2`).expect(201)
	}
	require.Len(t, root.audit("/audit", "?user=user1&action=entry.read&limit=1000").Events, 2*10)
	require.Len(t, root.audit("/audit", "?user=user1&action=entry.write&limit=1000").Events, 15)
	s.stop()

	root.server = startOn(t, s.db)
	counted := map[string]int{}
	for _, event := range root.audit("/audit", "?user=user1&action=entry.read&limit=1000").Events {
		require.Equal(t, "denied", event.Outcome)
		counted[event.sentence()] += max(1, event.Suppressed)
	}
	require.Equal(t, map[string]int{
		"user1 entry.read denied default key -": 15,
		"user1 entry.read denied - key -":       15,
	}, counted)
}
