package e2e

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/tests/usecases"
)

// identityBody is an identity in a response.
type identityBody struct {
	Public, Fingerprint, User, UserID string
	Locked                            *bool
}

func TestIdentities(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	root.user("anna")
	boris := root.user("boris")
	anna := s.signIn("anna", "anna-password")
	for _, missing := range []string{"/users/anna/identity", "/users/ghost/identity", "/users/%20/identity",
		"/identities/" + strings.Repeat("A", 43), "/identities/x"} {
		boris.do("GET", missing, nil).refuses(404, "identity_not_found")
	}
	first, second := usecases.RandomKeyHolder(t, domain.UserID{}), usecases.RandomKeyHolder(t, domain.UserID{})
	put := func(keys usecases.KeyHolder) *answer {
		return anna.do("PUT", "/users/Anna/identity", map[string]string{"public": keys.Public.String()})
	}
	made := read[identityBody](put(first).expect(201))
	require.Equal(t, first.Fingerprint().String(), made.Fingerprint)
	require.Equal(t, first.Public.String(), made.Public)
	got := read[identityBody](boris.do("GET", "/users/anna/identity", nil).expect(200))
	require.Equal(t, "anna", got.User)
	require.Equal(t, text(t, s.db, `SELECT id FROM users WHERE name = 'anna'`), got.UserID)
	require.Nil(t, got.Locked)
	require.False(t, *read[identityBody](anna.do("GET", "/users/anna/identity", nil).expect(200)).Locked)

	put(second).expect(200)
	put(second).expect(200)
	old := read[identityBody](boris.do("GET", "/identities/"+made.Fingerprint, nil).expect(200))
	require.Equal(t, made.Public, old.Public)
	require.Equal(t, "anna", old.User)
	other := s.signIn("boris", "boris-password")
	for _, taken := range []usecases.KeyHolder{first, second} {
		other.do("PUT", "/users/boris/identity",
			map[string]string{"public": taken.Public.String()}).refuses(409, "identity_taken")
	}
	valid := first.Public.String()
	for _, malformed := range []string{"", "lbpk1_", valid + "A", strings.ToUpper(valid),
		domain.PublicIdentity{1}.String(), "lbid1_" + strings.Repeat("A", 49)} {
		anna.do("PUT", "/users/anna/identity",
			map[string]string{"public": malformed}).refuses(400, "identity_invalid").about("public")
	}
	root.do("DELETE", "/users/anna", nil).expect(204)
	old = read[identityBody](boris.do("GET", "/identities/"+made.Fingerprint, nil).expect(200))
	require.Empty(t, old.User, "the user was deleted")
	require.Equal(t, got.UserID, old.UserID)
	require.Equal(t, []string{"identity.write", "identity.write", "identity.write"},
		strings.Fields(text(t, s.db, `SELECT string_agg(action, ' ') FROM events WHERE action LIKE 'identity.%'`)))
}

// TestIdentityOfAProgram creates a user with an identity in one request.
func TestIdentityOfAProgram(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	keys := usecases.RandomKeyHolder(t, domain.UserID{})
	create := func(name, identity string) *answer {
		return root.do("POST", "/users",
			map[string]string{"username": name, "password": name + "-password", "identity": identity})
	}
	create("billing", keys.Public.String()).expect(201)
	got := read[identityBody](root.do("GET", "/users/billing/identity", nil).expect(200))
	require.Equal(t, keys.Fingerprint().String(), got.Fingerprint)
	create("other", keys.Public.String()).refuses(409, "identity_taken")
	create("other", "lbpk1_x").refuses(400, "identity_invalid").about("identity")
	root.do("GET", "/users/other", nil).expect(404)
}

// TestLockedIdentity covers two rules: which users can fetch a locked identity, and which requests delete it.
func TestLockedIdentity(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	key := root.user("anna")
	const locked, at = "3q2-7w", "/users/anna/identity/locked"
	root.user("boris")
	fresh := func() client { return s.signIn("anna", "anna-password") }
	anna := fresh()
	anna.do("GET", at, nil).refuses(404, "locked_identity_not_found")
	anna.do("PUT", at, map[string]string{"locked": locked}).refuses(404, "identity_not_found")
	keys := usecases.RandomKeyHolder(t, domain.UserID{})
	lock := func() {
		t.Helper()
		anna.do("PUT", "/users/anna/identity",
			map[string]string{"public": keys.Public.String(), "locked": locked})
		anna.do("GET", at, nil).expect(200).is(`{"locked":"` + locked + `","fingerprint":"` +
			keys.Fingerprint().String() + `"}`)
	}
	lock()
	require.True(t, *read[identityBody](anna.do("GET", "/users/anna/identity", nil).expect(200)).Locked)
	for _, malformed := range []string{"", "3q2-7w=", "3q2-7w\n", "a b", strings.Repeat("A", 684)} {
		anna.do("PUT", at,
			map[string]string{"locked": malformed}).refuses(400, "locked_identity_invalid").about("locked")
	}
	anna.do("PUT", at, map[string]string{"locked": strings.Repeat("A", 682)}).expect(204)
	anna.do("PUT", at, map[string]string{"locked": locked}).expect(204)

	run(t, s.db, `UPDATE sessions SET created_at = created_at - interval '10 minutes 1 second'`)
	refusals := 0
	for name, old := range map[string]client{"an API key": key, "an old session": anna} {
		for _, request := range []struct{ method, path, body string }{
			{"GET", at, ""},
			{"PUT", at, `{"locked":"AQID"}`},
			{"PUT", "/users/anna/identity", `{"public":"` + keys.Public.String() + `"}`},
		} {
			var body any
			if request.body != "" {
				body = request.body
			}
			got := old.do(request.method, request.path, body)
			require.Equal(t, "recent_sign_in_required", got.refuses(403, "recent_sign_in_required").code(), name)
			refusals++
		}
	}
	require.Equal(t, refusals, number(t, s.db, `SELECT count(*) FROM events
		WHERE action LIKE 'identity.%' AND outcome = 'denied' AND actor_name = 'anna'`))
	boris := s.signIn("boris", "boris-password")
	boris.do("GET", at, nil).refuses(403, "itself_only")
	boris.do("DELETE", at, nil).refuses(403, "itself_only")

	anna = fresh()
	anna.do("GET", at, nil).expect(200)
	fetched := number(t, s.db, `SELECT count(*) FROM events WHERE action = 'identity.unlock' AND outcome = 'success'`)
	require.Equal(t, 2, fetched, "each response was audited")
	key.do("DELETE", at, nil).expect(204)
	key.do("DELETE", at, nil).refuses(404, "locked_identity_not_found")

	lock()
	anna.do("PUT", "/users/anna", `{"password":"anna-password","currentPassword":"anna-password"}`).expect(204)
	anna = fresh()
	anna.do("GET", at, nil).expect(200)
	root.do("PUT", "/users/anna", `{"password":"anna-password"}`).expect(204)
	anna = fresh()
	anna.do("GET", at, nil).refuses(404, "locked_identity_not_found")
	require.Equal(t, 2, number(t, s.db, `SELECT count(*) FROM events WHERE action = 'identity.lock-delete'`))
	keys = usecases.RandomKeyHolder(t, domain.UserID{})
	lock()
	anna.do("PUT", "/users/anna/identity", map[string]string{"public": keys.Public.String()}).expect(200)
	anna.do("GET", at, nil).refuses(404, "locked_identity_not_found")
	require.NotContains(t, tables(t, s.db), base64.RawURLEncoding.EncodeToString([]byte(locked)))
}

// TestSeedAsToken sends the seed of an identity instead of a token. The seed must not appear in the log or in the
// database.
func TestSeedAsToken(t *testing.T) {
	t.Parallel()
	s := start(t, "LOG_LEVEL=debug")
	root := s.initialize()
	root.box("default")
	const seed = "lbid1_OIQEwOV-4G1mhff_3DM9VeTd26Z_EZtmoewS_E9i6jEJ99h-L"
	for _, token := range []string{seed, seed + "~lba1_x", "x" + seed} {
		s.as(token).do("GET", "/whoami", nil).refuses(401, "unauthenticated")
		s.as("").do("GET", "/api/v1/user/list", nil, "Bearer", token).expect(401)
		s.as("").do("GET", "/api/v1/user/list", `{"access_token":"`+token+`"}`).expect(401)
		root.put("default", "entry", `1`, "X-Encryption-Key", token).refuses(400, "encryption_key_invalid")
	}
	for where, searched := range map[string]string{"the log": s.log.String(), "the tables": tables(t, s.db)} {
		require.NotContains(t, searched, seed[6:], where)
	}
	require.Zero(t, number(t, s.db, `SELECT count(*) FROM events WHERE outcome <> 'success'`))
}
