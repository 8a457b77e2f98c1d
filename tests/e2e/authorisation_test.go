package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/httpapi"
	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/tests/usecases"
)

// policyTable is a table of the statuses that each actor must get for each route.
type policyTable struct {
	name, policy string
	covers       func(path string) bool
	foreign      bool
	itself       bool
}

// TestAuthorisation runs every route as every actor, on the actor's own objects. TestAuthorisationOfOthers does the
// same on the objects of other users. The tables must name exactly the registered routes.
func TestAuthorisation(t *testing.T) {
	t.Parallel()
	troupe := newTroupe(t)
	troupe.perform(t, policyTable{name: "own", policy: ownPolicy, covers: func(string) bool { return true }})
	troupe.perform(t, policyTable{
		name:   "itself",
		policy: itselfPolicy,
		covers: func(path string) bool { return strings.HasPrefix(path, "/boxes/:box/users/:username") },
		itself: true,
	})
}

// perform sends the request of each route of a table as each actor, and checks the status.
func (r *troupe) perform(t *testing.T, table policyTable) {
	t.Helper()
	rows := readPolicy(t, table.policy)
	requireSameRoutes(t, table.name, rows, table.covers)
	for route, expected := range rows {
		for i, actor := range strings.Fields(actors) {
			t.Run(table.name+"/"+route+"/"+actor, func(t *testing.T) {
				t.Parallel()
				scene := r.prepare(t, route, actor, table.foreign)
				if table.itself && scene.name != "" {
					scene.member = scene.name
				}
				scene.play(route).expect(expected[i])
			})
		}
	}
}

// readPolicy parses a table. The result maps each route to the expected statuses, in the order of the columns.
func readPolicy(t *testing.T, text string) map[string][]int {
	t.Helper()
	rows := make(map[string][]int)
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		route := fields[0] + " " + fields[1]
		require.NotContains(t, rows, route, "a route has one row")
		require.Len(t, fields[2:], len(strings.Fields(actors)), "%s has a status for each actor", route)
		for _, field := range fields[2:] {
			status, err := strconv.Atoi(field)
			require.NoError(t, err, route)
			rows[route] = append(rows[route], status)
		}
	}
	return rows
}

func requireSameRoutes(t *testing.T, table string, rows map[string][]int, covers func(path string) bool) {
	t.Helper()
	var expected, got []string
	for _, route := range httpapi.Routes() {
		if covers(route.Path) {
			expected = append(expected, route.Method+" "+route.Path)
		}
	}
	for route := range rows {
		got = append(got, route)
	}
	require.ElementsMatch(t, expected, got, "the table %s names the routes that there are", table)
}

// troupe is a server with the actors that all scenes share. No scene changes them.
type troupe struct {
	server                        *server
	owner, keeper                 client
	revoked, expired, deactivated client
	// notary is an admin who makes the first keyring of each box. The notary and the colleague have identities.
	notary, colleague holder
	// All scenes share the owner. A scene locks ownerSession while it uses or revokes a session of the owner.
	ownerSession sync.Mutex
	scenes       atomic.Int64
}

func newTroupe(t *testing.T) *troupe {
	t.Helper()
	s := start(t, "MAX_BOXES_PER_USER=0")
	owner := s.initialize()
	r := &troupe{server: s, owner: owner, keeper: owner.user("keeper")}
	owner.user("colleague")
	owner.user("guest")
	owner.admin("notary")
	r.notary, r.colleague = s.holder("notary"), s.holder("colleague")

	r.expired = s.as(owner.admin("expired").do("POST", "/api-keys",
		`{"expiry":"00:00:01"}`).expect(200).string("apiKey"))

	r.revoked = owner.admin("revoked")
	other := s.as(r.revoked.do("POST", "/api-keys", nil).expect(200).string("apiKey"))
	other.do("DELETE", "/api-keys/"+r.revoked.token, nil).expect(204)

	r.deactivated = owner.admin("disabled")
	owner.do("PUT", "/users/disabled", `{"isActive":false}`).expect(204)

	require.Eventually(t, func() bool { return r.expired.do("GET", "/whoami", nil).Status == 401 }, time.Minute,
		50*time.Millisecond)
	return r
}

// scene is one request: its actor and its target.
type scene struct {
	actor   client
	name    string // the actor's user name; empty without a user
	box     string
	member  string // the box user that is the target
	account string // the user that is the target
	apiKey  string
	code    string // of an invitation
	number  int64
	// keyring is the keyring that the request sends. keyringTag is the entity tag of the keyring that the box has
	// before the request.
	keyring    usecases.KeyringPlan
	keyringTag string
	// fingerprint belongs to the identity of the user that the field account names.
	fingerprint string
	// public is the identity that a request publishes.
	public string
}

const sceneKey, sceneKeyEncoded = "team/db", "team%2Fdb"

// prepare creates a box with an entry and a colleague, and an actor who is a member of the box. If foreign is set, the
// actor is a member of another box instead.
func (r *troupe) prepare(t *testing.T, route, actor string, foreign bool) scene {
	t.Helper()
	s := scene{number: r.scenes.Add(1), member: "colleague", account: "colleague"}
	s.actor, s.name = r.cast(t, actor, s.number)
	if s.name == "root" && (route == "PUT /users/:username" || strings.Contains(route, "identit") ||
		strings.HasSuffix(route, "/keyring")) {
		r.ownerSession.Lock()
		t.Cleanup(r.ownerSession.Unlock)
	}
	owner := r.owner.in(t)
	if strings.Contains(route, "/invitations/") {
		// The actor's request is about this invitation. The owner makes the invitation. If foreign is set, another
		// admin makes it.
		inviter := owner
		if foreign {
			inviter = owner.admin(fmt.Sprintf("inviter-%d", s.number))
		}
		s.account = fmt.Sprintf("invited-%d", s.number)
		s.code = inviter.do("POST", "/invitations", `{"username":"`+s.account+`"}`).expect(201).string("code")
		return s
	}
	if strings.Contains(route, "identit") {
		r.identify(t, &s, foreign)
		return s
	}
	if strings.Contains(route, ":apiKey") || strings.Contains(route, " /users/:username") ||
		strings.HasSuffix(route, "/:user") {
		s.account = s.name
		if foreign || s.name == "" {
			s.account = fmt.Sprintf("other-%d", s.number)
			other := owner.user(s.account)
			s.apiKey = other.do("POST", "/api-keys", nil).expect(200).string("apiKey")
			if strings.Contains(route, "/totp") {
				other.do("POST", "/users/"+s.account+"/totp", ownProof(s.account, "")).expect(201)
			}
		} else if route == "DELETE /users/:username/totp" {
			s.actor.do("POST", "/users/"+s.account+"/totp", ownProof(s.account, ""))
		} else if spare := s.actor.do("POST", "/api-keys", nil); spare.Status == 200 {
			s.apiKey = spare.string("apiKey")
		} else {
			s.apiKey = s.actor.token // a revoked key must not be able to delete itself
		}
		return s
	}
	if !strings.Contains(route, ":box") {
		return s
	}
	s.box = fmt.Sprintf("box-%d", s.number)
	home := s.box
	if foreign {
		home = fmt.Sprintf("home-%d", s.number)
	}
	boss := r.keeper.in(t)
	if actor == "boxowner" {
		boss = s.actor
	}
	boss.box(home)
	if foreign {
		r.keeper.in(t).box(s.box)
		boss = r.keeper.in(t)
	}
	owner.share(s.box, "colleague", "readEntry")
	boss.put(s.box, sceneKey, `{"user":"app"}`).expect(201)
	r.enter(t, home, actor, s.name, needed[route])
	if strings.Contains(route, "/offer") {
		to := "colleague"
		accepts := strings.HasSuffix(route, "/accept") &&
			slices.Contains([]string{"without", "with", "boxadmin"}, actor)
		if !foreign && (accepts || actor == "with") {
			to = s.name
		}
		boss.do("PUT", "/boxes/"+s.box, `{"owner":"`+to+`"}`).expect(204)
	}
	if strings.HasSuffix(route, "/keyring") {
		r.key(t, &s, home == s.box)
	}
	if route == "POST /boxes/:box" && !foreign {
		s.box = fmt.Sprintf("free-%d", s.number)
	}
	return s
}

// canSignIn reports whether the actor has a password that works.
func (s scene) canSignIn() bool {
	return s.name != "" && !slices.Contains([]string{"revoked", "expired", "disabled"}, s.name)
}

// identify stores a locked identity for the target account of a scene. If the actor can sign in, identify signs the
// actor in, because some routes require a recent sign-in.
func (r *troupe) identify(t *testing.T, s *scene, foreign bool) {
	t.Helper()
	s.account = s.name
	if foreign || !s.canSignIn() {
		s.account = fmt.Sprintf("other-%d", s.number)
		r.owner.in(t).user(s.account)
	}
	server := *r.server
	server.t = t
	account := server.holder(s.account)
	account.do("PUT", "/users/"+s.account+"/identity/locked", `{"locked":"AQIDBA"}`).expect(204)
	s.fingerprint = account.keys.Fingerprint().String()
	switch {
	case s.account == s.name:
		s.actor = account.client
	case s.canSignIn():
		s.actor = server.signIn(s.name, s.name+"-password")
	}
	s.public = usecases.RandomKeyHolder(t, domain.UserID{}).Public.String()
}

// The key method creates a keyring for the box of a scene. It also creates an identity for the actor. If the actor is
// an active member, the actor is a recipient of the keyring. The request of the scene then changes the key of the box.
func (r *troupe) key(t *testing.T, s *scene, member bool) {
	t.Helper()
	recipients := []holder{r.colleague}
	author := r.colleague
	if s.canSignIn() {
		server := *r.server
		server.t = t
		author = server.holder(s.name)
		s.actor = author.client
		state := r.owner.in(t).state(s.box)
		for _, user := range state.Users {
			if member && user.Username == s.name && user.IsActive {
				recipients = append(recipients, author)
			}
		}
	}
	first := r.notary.plan(s.box)
	first.Recipients = nil
	first = with(first, recipients...)
	s.keyringTag = r.notary.in(t).first(s.box, first).expect(201).tag()
	s.keyring = author.rekeyed(first)
	s.keyring.Recipients = nil
	s.keyring = with(s.keyring, recipients...)
}

// cast returns a client that acts as the given actor. It also returns the actor's username. For the actor "anonymous",
// the username is empty.
func (r *troupe) cast(t *testing.T, actor string, number int64) (client, string) {
	t.Helper()
	switch actor {
	case "anonymous":
		return r.server.as("").in(t), ""
	case "owner":
		return r.owner.in(t), "root"
	case "revoked":
		return r.revoked.in(t), actor
	case "expired":
		return r.expired.in(t), actor
	case "disabled":
		return r.deactivated.in(t), actor
	}
	name := fmt.Sprintf("%s-%d", actor, number)
	if actor == "admin" {
		return r.owner.in(t).admin(name), name
	}
	return r.owner.in(t).user(name), name
}

var (
	allPermissions = []string{"readEntryKeys", "readEntry", "createEntry", "deleteEntry"}
	needed         = map[string][]string{
		"GET /boxes/:box/entries":               {"readEntryKeys"},
		"POST /boxes/:box/entries":              {"createEntry"},
		"GET /boxes/:box/entries/:key":          {"readEntry"},
		"DELETE /boxes/:box/entries/:key":       {"deleteEntry"},
		"GET /boxes/:box/entries/:key/versions": {"readEntryKeys"},
		"POST /boxes/:box/entries/:key/restore": {"createEntry", "readEntry"},
	}
)

// enter makes the actor a member of a box. If needs is empty, the actor "with" gets all permissions and the actor
// "without" gets none.
func (r *troupe) enter(t *testing.T, box, actor, name string, needs []string) {
	t.Helper()
	owner := r.owner.in(t)
	asBoxAdmin := func() {
		owner.do("PUT", "/boxes/"+box+"/users/"+name, `{"role":"boxadmin"}`).expect(204)
	}
	switch actor {
	case "without":
		var others []string
		if len(needs) > 0 {
			others = slices.DeleteFunc(slices.Clone(allPermissions), func(p string) bool { return p == needs[0] })
		}
		owner.share(box, name, others...)
	case "with":
		if len(needs) == 0 {
			needs = allPermissions
		}
		owner.share(box, name, needs...)
	case "boxadmin":
		owner.share(box, name)
		asBoxAdmin()
	case "inactive":
		owner.share(box, name, allPermissions...)
		asBoxAdmin()
		owner.do("PUT", "/boxes/"+box+"/users/"+name, `{"isActive":false}`).expect(204)
	case "revoked", "expired", "disabled":
		owner.share(box, name, allPermissions...)
		asBoxAdmin()
	}
}

// play sends the request of a scene. The request body is always valid.
func (s scene) play(route string) *answer {
	s.actor.server.t.Helper()
	method, path, _ := strings.Cut(route, " ")
	user := s.member
	if strings.HasPrefix(path, "/users/") || strings.HasPrefix(path, "/invitations/") ||
		strings.HasSuffix(path, "/:user") {
		user = s.account
	}
	path = strings.NewReplacer(":box", s.box, ":username", user, ":user", user, ":apiKey", s.apiKey, ":key",
		sceneKeyEncoded,
		":droplet", "droplet01", ":fingerprint", s.fingerprint).Replace(path)
	headers := []string{"X-Encryption-Key", generatedKey}
	if route == "PUT /boxes/:box/keyring" {
		headers = append(headers, "If-Match", s.keyringTag)
	}
	return s.actor.do(method, path, s.body(route), headers...)
}

func (s scene) body(route string) any {
	switch route {
	case "POST /init":
		return `{"username":"second","password":"second-password"}`
	case "POST /authenticate":
		return `{"username":"colleague","password":"colleague-password"}`
	case "POST /users":
		return fmt.Sprintf(`{"username":"fresh-%d","password":"fresh-password"}`, s.number)
	case "POST /invitations":
		return fmt.Sprintf(`{"username":"invited-%d"}`, s.number)
	case "POST /invitations/accept":
		return `{"code":"` + s.code + `","password":"invited-password"}`
	case "PUT /users/:username":
		password := "another-password"
		if s.account == "root" {
			password = "root-password" // other scenes sign in as the owner
		}
		return `{"password":"` + password + `","currentPassword":"` + s.account + `-password"}`
	case "POST /users/:username/totp":
		return ownProof(s.account, "")
	case "POST /users/:username/totp/confirm":
		return `{}`
	case "POST /api/v1/user/add":
		return fmt.Sprintf(`{"username":"added-%d","group":"viewer"}`, s.number)
	case "POST /api/v1/user/auth":
		return `{"username":"colleague","code":"123456"}`
	case "POST /api/v1/user/auth/refresh":
		return `{"grant_type":"refresh_token","refresh_token":"` + strings.Repeat("0", 64) + `"}`
	case "PUT /users/:username/identity":
		return `{"public":"` + s.public + `"}`
	case "PUT /users/:username/identity/locked":
		return `{"locked":"AQIDBA"}`
	case "PUT /boxes/:box/keyring":
		return keyringBody(s.actor.server.t, s.keyring)
	case "PUT /boxes/:box":
		return `{"owner":"colleague"}`
	case "POST /boxes/:box/users":
		return `{"username":"guest"}`
	case "PUT /boxes/:box/users/:username":
		return `{"role":"boxadmin"}`
	case "PUT /boxes/:box/users/:username/permissions":
		return `["readEntry","createEntry"]`
	case "POST /boxes/:box/entries":
		return `{"key":"another","value":{"user":"app"}}`
	case "POST /boxes/:box/entries/:key/restore":
		return `{"version":1}`
	default:
		return nil
	}
}
