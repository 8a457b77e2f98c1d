package e2e

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/tests/usecases"
)

// keyringView is a keyring in a response.
type keyringView struct {
	Head, Wrapped string
	Author        struct{ User, Fingerprint string }
	Recipients    []struct{ User, UserID, Fingerprint, Wrapped string }
	Waiting, Due  []struct{ User, UserID, Fingerprint string }
	KeyChangeDue  bool
	Past          []struct {
		Sequence      uint64
		KeyID, Author string
	}
}

// opened returns the box key that the holder unwraps from a keyring.
func (h holder) opened(view keyringView) [32]byte {
	h.server.t.Helper()
	head, err := domain.ParseKeyringHead(decoded(h.server.t, view.Head))
	require.NoError(h.server.t, err)
	return h.keys.Unwrap(h.server.t, head, decoded(h.server.t, view.Wrapped))
}

func decoded(t testing.TB, text string) []byte {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(text)
	require.NoError(t, err)
	return raw
}

// keyed is a box that has a keyring. Anna owns the box, and Boris is a member with all permissions.
type keyed struct {
	server      *server
	root        client
	anna, boris holder
	plan        usecases.KeyringPlan
	tag         string
}

// startKeyed makes the box with its first keyring. Both are recipients.
func startKeyed(t *testing.T, settings ...string) keyed {
	t.Helper()
	s := start(t, settings...)
	k := keyed{server: s, root: s.initialize()}
	for _, name := range []string{"anna", "boris", "cora"} {
		k.root.user(name)
	}
	k.anna, k.boris = s.holder("anna"), s.holder("boris")
	k.anna.box("prod")
	k.anna.share("prod", "boris", allPermissions...)
	k.plan = k.anna.plan("prod", k.boris)
	k.tag = k.anna.first("prod", k.plan).expect(201).tag()
	return k
}

const keyringPath = "/boxes/prod/keyring"

func TestKeyring(t *testing.T) {
	t.Parallel()
	k := startKeyed(t)
	id := k.plan.KeyID(t).String()
	got := k.boris.do("GET", keyringPath, nil).expect(200)
	require.Equal(t, k.tag, got.tag())
	view := read[keyringView](got)
	require.Equal(t, "anna", view.Author.User)
	require.Nil(t, view.Recipients)
	require.Equal(t, k.plan.Key, k.boris.opened(view))
	require.Empty(t, read[keyringView](k.root.do("GET", keyringPath, nil).expect(200)).Wrapped, "no recipient")
	for _, path := range []string{keyringPath, keyringPath + "?recipients=all", keyringPath + "?sequence=1"} {
		k.boris.do("GET", path, nil, "If-None-Match", k.tag).expect(304).isEmpty("")
		require.Equal(t, k.tag, k.boris.do("GET", path, nil, "If-None-Match", `"other"`).expect(200).tag())
	}
	k.boris.do("GET", keyringPath+"?sequence=2", nil).refuses(404, "keyring_not_found")
	k.boris.do("GET", keyringPath+"?sequence=0", nil).refuses(400, "invalid_version")
	k.boris.do("GET", keyringPath+"?recipients=some", nil).refuses(400, "invalid_recipients")
	k.root.box("plain")
	k.root.do("GET", "/boxes/plain/keyring", nil).refuses(404, "keyring_not_found")
	require.NotContains(t, string(k.root.do("GET", "/boxes/plain", nil).Body), "encryption")
	require.Contains(t, string(k.root.do("GET", "/boxes/prod", nil).Body),
		`"encryption":"server","keyring":{"keyId":"`+id+`","sequence":1,"keyChangeDue":false}`)

	all := read[keyringView](k.boris.do("GET", keyringPath+"?recipients=all", nil).expect(200))
	require.Len(t, all.Recipients, 2)
	require.Less(t, string(decoded(t, all.Recipients[0].Fingerprint)),
		string(decoded(t, all.Recipients[1].Fingerprint)))
	require.Empty(t, all.Past)
	require.False(t, all.KeyChangeDue)
}

// TestKeyInForce verifies that a write must use the current key of the box. It also verifies that only a caller who may
// read the entry gets the id of the key that encrypted a version.
func TestKeyInForce(t *testing.T) {
	t.Parallel()
	k := startKeyed(t)
	id := k.plan.KeyID(t).String()
	written := k.boris.putUnder(k.plan, "prod", "entry", `1`).expect(201)
	require.Equal(t, id, written.Header.Get("X-Encryption-Key-Id"))
	k.anna.putUnder(k.plan, "prod", "entry", `2`).expect(201)
	for _, other := range []string{generatedKey, "a passphrase", "b64:AAAA"} {
		for _, key := range []string{"entry", "new"} {
			k.boris.put("prod", key, `3`, "X-Encryption-Key", other).refuses(409, "key_not_current")
		}
	}
	k.boris.put("prod", "entry", `3`, "X-Encryption-Key", "").refuses(400, "encryption_key_required")
	mismatch := k.boris.get("prod", "entry").refuses(403, "encryption_key_mismatch")
	require.Equal(t, id, mismatch.Header.Get("X-Encryption-Key-Id"), "a reader learns which key to use")
	k.anna.permit("prod", "boris", "readEntryKeys", "createEntry")
	require.Empty(t, k.boris.get("prod", "entry").refuses(403, "permission_missing").Header.Get("X-Encryption-Key-Id"))
	require.Empty(t, k.boris.putUnder(k.plan, "prod", "entry", `3`).expect(201).Header.Get("X-Encryption-Key-Id"))
	k.anna.permit("prod", "boris", allPermissions...)

	next := k.anna.rekeyed(k.plan, k.boris)
	k.anna.replace("prod", next, k.tag).expect(200)
	k.boris.putUnder(k.plan, "prod", "entry", `4`).refuses(409, "key_not_current")
	k.boris.do("POST", "/boxes/prod/entries/entry/restore", `{"version":1}`).refuses(409, "key_not_current")
	got := k.boris.get("prod", "entry", "X-Encryption-Key", keyText(k.plan)).expect(200)
	require.Equal(t, id, got.Header.Get("X-Encryption-Key-Id"), "the old version is still under the old key")
	require.Equal(t, "true", k.boris.putUnder(next, "prod", "entry", `4`).expect(201).Header.Get(
		"X-Encryption-Key-Changed"))
	k.boris.do("POST", "/boxes/prod/entries/entry/restore", `{"version":4}`).expect(201)
	k.boris.do("DELETE", "/boxes/prod/entries/entry", nil).expect(204)
	k.boris.do("POST", "/boxes/prod/entries/entry/restore", `{"version":2}`).refuses(409, "key_not_current")
	k.boris.do("POST", "/boxes/prod/entries/entry/restore", `{"version":5}`).expect(201)
	type line struct {
		Version uint64
		KeyID   string
	}
	lines := read[[]line](k.boris.do("GET", "/boxes/prod/entries/entry/versions", nil).expect(200))
	newID := next.KeyID(t).String()
	require.Equal(t, []line{{6, newID}, {5, newID}, {4, newID}, {3, id}, {2, id}, {1, id}}, lines)
}

// TestAdoptedBox gives a box with entries its first keyring. Versions that were written before the first keyring have
// no key id.
func TestAdoptedBox(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	root.user("anna")
	anna := s.holder("anna")
	anna.box("prod")
	anna.put("prod", "entry", `1`).expect(201)
	plan := anna.plan("prod")
	anna.first("prod", plan).expect(201)
	anna.put("prod", "entry", `2`).refuses(409, "key_not_current")
	require.Empty(t, anna.get("prod", "entry").expect(200).Header.Get("X-Encryption-Key-Id"))
	anna.do("POST", "/boxes/prod/entries/entry/restore", `{"version":1}`).refuses(409, "key_not_current")
	anna.putUnder(plan, "prod", "entry", `2`).expect(201)
	require.NotContains(t, string(anna.do("GET", "/boxes/prod/entries/entry/versions", nil).expect(200).Body),
		`"version":1,"author":"anna","keyId"`)
}

// TestKeyringConditions covers the conditional headers of a request that replaces a keyring.
func TestKeyringConditions(t *testing.T) {
	t.Parallel()
	k := startKeyed(t)
	body := keyringBody(t, k.anna.rekeyed(k.plan, k.boris))
	for _, test := range []struct {
		headers []string
		status  int
		code    string
	}{
		{nil, 428, "condition_required"},
		{[]string{"If-None-Match", "*"}, 412, "precondition_failed"},
		{[]string{"If-None-Match", k.tag}, 400, "invalid_precondition"},
		{[]string{"If-None-Match", ""}, 400, "invalid_precondition"},
		{[]string{"If-Match", ""}, 400, "invalid_precondition"},
		{[]string{"If-Match", `"other"`}, 412, "precondition_failed"},
		{[]string{"If-Match", "W/" + k.tag}, 412, "precondition_failed"},
		{[]string{"If-Match", k.tag, "If-None-Match", "*"}, 412, "precondition_failed"},
	} {
		k.anna.do("PUT", keyringPath, body, test.headers...).refuses(test.status, test.code)
	}
	k.anna.do("PUT", keyringPath, body, "If-Match", `"other", `+k.tag).expect(200)
	k.anna.do("PUT", keyringPath, keyringBody(t, k.anna.rekeyed(k.anna.rekeyed(k.plan), k.boris)), "If-Match",
		"*").expect(200)
	k.anna.box("fresh")
	k.anna.replace("fresh", k.anna.plan("fresh"), "*").refuses(412, "precondition_failed")
}

// TestKeyringRefusals sends keyrings that must not replace the first keyring of a box.
func TestKeyringRefusals(t *testing.T) {
	t.Parallel()
	k := startKeyed(t)
	k.root.user("dora")
	cora, dora := k.server.holder("cora"), k.server.holder("dora") // cora is no member
	k.anna.share("prod", "dora")
	k.anna.do("PUT", "/boxes/prod/users/dora", `{"role":"boxadmin"}`).expect(204)
	valid := k.anna.rekeyed(k.plan, k.boris)
	change := func(fn func(*usecases.KeyringPlan)) usecases.KeyringPlan {
		plan := valid
		fn(&plan)
		return plan
	}
	for name, test := range map[string]struct {
		plan   usecases.KeyringPlan
		by     client
		status int
		code   string
		field  string
	}{
		"another installation": {
			plan:   change(func(p *usecases.KeyringPlan) { p.Installation[0] ^= 1 }),
			status: 400,
			code:   "keyring_invalid",
			field:  "head",
		},
		"another box": {
			plan:   change(func(p *usecases.KeyringPlan) { p.Box[0] ^= 1 }),
			status: 400,
			code:   "keyring_invalid",
			field:  "head",
		},
		"client encryption": {
			plan:   change(func(p *usecases.KeyringPlan) { p.Mode = 1 }),
			status: 400,
			code:   "keyring_invalid",
			field:  "head",
		},
		"another author": {
			plan:   change(func(p *usecases.KeyringPlan) { p.Author = k.boris.keys }),
			status: 400,
			code:   "keyring_invalid",
			field:  "head",
		},
		"no recipients": {
			plan:   change(func(p *usecases.KeyringPlan) { p.Recipients = nil }),
			status: 400,
			code:   "keyring_invalid",
			field:  "recipients",
		},
		"a recipient twice": {
			plan:   with(valid, k.boris),
			status: 400,
			code:   "keyring_invalid",
			field:  "recipients",
		},
		"the same sequence": {
			plan:   change(func(p *usecases.KeyringPlan) { p.Sequence = 1 }),
			status: 409,
			code:   "keyring_sequence",
		},
		"a sequence too far": {
			plan:   change(func(p *usecases.KeyringPlan) { p.Sequence = 1002 }),
			status: 409,
			code:   "keyring_sequence",
		},
		"a recipient less under the same key": {
			plan: change(func(p *usecases.KeyringPlan) {
				p.Key, p.Recipients = k.plan.Key, p.Recipients[:1]
			}),
			status: 409,
			code:   "key_change_required",
		},
		"a recipient who is no member": {plan: with(valid, cora), status: 409, code: "recipient_stale"},
		"a boxadmin without the key": {
			plan:   change(func(p *usecases.KeyringPlan) { p.Author = dora.keys }),
			by:     dora.client,
			status: 403,
			code:   "not_recipient",
		},
		"a member": {
			plan:   change(func(p *usecases.KeyringPlan) { p.Author = k.boris.keys }),
			by:     k.boris.client,
			status: 403,
			code:   "box_admin_only",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			by := test.by
			if by.server == nil {
				by = k.anna.client
			}
			got := by.in(t).replace("prod", test.plan, k.tag).refuses(test.status, test.code)
			if test.field != "" {
				got.about(test.field)
			}
		})
	}
	t.Cleanup(func() {
		require.Equal(t, k.tag, k.anna.do("GET", keyringPath, nil).expect(200).tag(), "nothing changed")
	})
	for name, damage := range map[string]func(body map[string]any){
		"head":       func(body map[string]any) { body["head"] = "AAAA" },
		"chain":      func(body map[string]any) { body["chain"] = body["chain"].(string)[1:] + "A" },
		"signature":  func(body map[string]any) { body["signature"] = strings.Repeat("A", 86) },
		"recipients": func(body map[string]any) { body["recipients"] = []any{map[string]string{"userId": "x"}} },
	} {
		body := keyringBody(t, valid)
		damage(body)
		field := name
		if name == "chain" { // its length is right, so only the signature shows the damage
			field = "signature"
		}
		k.anna.do("PUT", keyringPath, body, "If-Match", k.tag).refuses(400, "keyring_invalid").about(field)
	}
}

// TestRemoveWithKeyring removes a member and changes the key in one request.
func TestRemoveWithKeyring(t *testing.T) {
	t.Parallel()
	k := startKeyed(t)
	next := k.anna.rekeyed(k.plan)
	k.anna.replace("prod", k.anna.granted(k.plan), k.tag, "boris").refuses(409, "key_change_required")
	k.anna.replace("prod", k.anna.rekeyed(k.plan, k.boris), k.tag, "boris").refuses(409, "recipient_stale")
	k.anna.replace("prod", next, k.tag, "boris", "ghost").refuses(404, "box_user_not_found")
	k.anna.replace("prod", next, k.tag, "boris", "anna").refuses(409, "box_owner_stays")
	k.boris.get("prod", "entry").refuses(404, "entry_not_found")
	tag := k.anna.replace("prod", next, k.tag, "Boris").expect(200).tag()
	k.boris.do("GET", keyringPath, nil).refuses(404, "box_not_found")
	k.boris.putUnder(k.plan, "prod", "entry", `1`).refuses(404, "box_not_found")
	k.anna.putUnder(k.plan, "prod", "entry", `1`).refuses(409, "key_not_current")
	k.anna.putUnder(next, "prod", "entry", `1`).expect(201)
	view := read[keyringView](k.anna.do("GET", keyringPath+"?recipients=all", nil).expect(200))
	require.Len(t, view.Recipients, 1)
	require.Len(t, view.Past, 1)
	require.Equal(t, k.plan.KeyID(t).String(), view.Past[0].KeyID)
	past := read[keyringView](k.anna.do("GET", keyringPath+"?sequence=1&recipients=all", nil).expect(200))
	require.Len(t, past.Recipients, 2)
	require.Equal(t, k.plan.Key, k.anna.opened(past))
	require.Equal(t, []string{"box-user.remove boris", "keyring.write key " + next.KeyID(t).String() + ", author " +
		k.anna.keys.Fingerprint().String() + ", new key, removed boris"},
		strings.Split(text(t, k.server.db, `SELECT string_agg(action || ' ' || target, '|' ORDER BY id) FROM events
			WHERE action = 'box-user.remove' OR action = 'keyring.write' AND target LIKE '%removed%'`), "|"))
	again := k.anna.rekeyed(next)
	again.Key = k.plan.Key
	k.anna.replace("prod", again, tag).refuses(409, "key_id_used")
}

// TestKeyChangeDue sends requests that remove or deactivate a recipient of the keyring, or replace the recipient's
// identity. The server must then report that the box needs a new key.
func TestKeyChangeDue(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(k keyed){
		"removed":     func(k keyed) { k.root.do("DELETE", "/boxes/prod/users/boris", nil).expect(204) },
		"inactive":    func(k keyed) { k.root.do("PUT", "/boxes/prod/users/boris", `{"isActive":false}`).expect(204) },
		"deactivated": func(k keyed) { k.root.do("PUT", "/users/boris", `{"isActive":false}`).expect(204) },
		"deleted":     func(k keyed) { k.root.do("DELETE", "/users/boris", nil).expect(204) },
		"rotated":     func(k keyed) { k.boris.rotate(k.boris.keys.User) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := startKeyed(t)
			k.anna.share("prod", "cora")
			before := read[keyringView](k.anna.do("GET", keyringPath+"?recipients=all", nil).expect(200))
			require.False(t, before.KeyChangeDue)
			require.Len(t, before.Waiting, 1)
			require.Equal(t, "cora", before.Waiting[0].User)
			require.Empty(t, before.Waiting[0].Fingerprint)
			lose(k)
			view := read[keyringView](k.anna.do("GET", keyringPath+"?recipients=all", nil).expect(200))
			require.True(t, view.KeyChangeDue)
			require.Len(t, view.Due, 1)
			require.Equal(t, k.boris.keys.Fingerprint().String(), view.Due[0].Fingerprint)
			require.Equal(t, k.boris.keys.User.String(), view.Due[0].UserID)
			require.Contains(t, string(k.anna.do("GET", "/boxes/prod", nil).Body), `"keyChangeDue":true`)
			require.Equal(t, k.tag, k.anna.do("GET", keyringPath, nil).tag(), "the stored keyring is the same")
			k.anna.replace("prod", k.anna.granted(k.plan), k.tag).refuses(409, "recipient_stale")
			k.anna.replace("prod", k.anna.rekeyed(k.plan), k.tag).expect(200)
			require.Contains(t, string(k.anna.do("GET", "/boxes/prod", nil).Body), `"keyChangeDue":false`)
		})
	}
}

// TestResetKeyring replaces a keyring whose key is lost.
func TestResetKeyring(t *testing.T) {
	t.Parallel()
	k := startKeyed(t)
	k.anna.do("PUT", "/boxes/prod/users/boris", `{"role":"boxadmin"}`).expect(204)
	admin := k.root.admin("admin")
	keys := k.server.holder("admin")
	reset := func(by client, plan usecases.KeyringPlan) *answer {
		body := keyringBody(t, plan)
		body["reset"] = true
		return by.do("PUT", keyringPath, body, "If-Match", k.tag)
	}
	fresh := keys.rekeyed(k.plan)
	fresh.Recipients, fresh.Earlier = []usecases.KeyHolder{k.boris.keys}, nil
	byBoris := fresh
	byBoris.Author = k.boris.keys
	reset(k.boris.client, byBoris).refuses(403, "box_owner_only")
	admin.do("PUT", keyringPath, keyringBody(t, fresh), "If-Match", k.tag).refuses(403, "not_recipient")
	chained := fresh
	chained.Earlier = [][32]byte{{1}}
	reset(admin, chained).refuses(400, "keyring_invalid").about("chain")
	same := keys.granted(k.plan)
	reset(admin, same).refuses(409, "key_change_required")
	reset(admin, fresh).expect(200)
	k.boris.putUnder(fresh, "prod", "entry", `1`).expect(201)
}
