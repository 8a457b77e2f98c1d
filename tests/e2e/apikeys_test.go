package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
)

// The issue method creates an API key and returns a client that uses it. If body is nil, the request has no body.
func (c client) issue(body any) client {
	c.server.t.Helper()
	return c.server.as(c.do("POST", "/api-keys", body).expect(200).string("apiKey"))
}

// keyID returns the id of the API key that the client uses.
func (c client) keyID() string {
	c.server.t.Helper()
	return read[whoAmI](c.do("GET", "/whoami", nil).expect(200)).Token.ID
}

type apiKeyLine struct {
	ID         string  `json:"id"`
	Name       string  `json:"name"`
	CreatedAt  string  `json:"createdAt"`
	ExpiresAt  *string `json:"expiresAt"`
	LastUsedAt *string `json:"lastUsedAt"`
}

func TestIssueAPIKey(t *testing.T) {
	t.Parallel()
	root := start(t).initialize()
	for name, body := range map[string]any{"no body": nil, "an empty one": "", "null": `null`, "nothing": `{}`,
		"nulls":         `{"expiry":null,"name":null}`,
		"empty strings": `{"expiry":"","name":""}`, "other letters": `{"EXPIRY":"1:00:00:00","Name":"x"}`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := root.in(t).do("POST", "/api-keys", body).expect(200).isJSON()
			require.Len(t, read[map[string]string](got), 1)
			root.server.as(got.string("apiKey")).in(t).do("GET", "/whoami", nil).expect(200)
		})
	}
}

func TestAPIKeyExpiry(t *testing.T) {
	t.Parallel()
	root := start(t).initialize()
	for expiry, span := range map[string]struct {
		days int
		rest time.Duration
	}{
		"10:12:10:00":     {10, 12*time.Hour + 10*time.Minute},
		"10.12:10:00":     {10, 12*time.Hour + 10*time.Minute},
		"10.12:10":        {10, 12*time.Hour + 10*time.Minute},
		"12:10":           {0, 12*time.Hour + 10*time.Minute},
		"12:10:09.5":      {0, 12*time.Hour + 10*time.Minute + 10*time.Second},
		"1:1:1:1":         {1, time.Hour + time.Minute + time.Second},
		"109575.00:00:00": {109575, 0}, // 300 years, more than time.Duration can hold
		"P10DT12H10M":     {10, 12*time.Hour + 10*time.Minute},
		"PT36H":           {0, 36 * time.Hour},
		"P2W":             {14, 0},
		"90d":             {90, 0},
		"2w1d":            {15, 0},
		"1d12h":           {1, 12 * time.Hour},
	} {
		t.Run(expiry, func(t *testing.T) {
			t.Parallel()
			before := time.Now().UTC()
			key := root.in(t).issue(map[string]string{"expiry": expiry})
			ends := read[whoAmI](key.in(t).do("GET", "/whoami", nil).expect(200)).Token.ExpiresAt
			add := func(to time.Time) time.Time { return to.AddDate(0, 0, span.days).Add(span.rest) }
			require.WithinRange(t, *ends, add(before).Add(-time.Second), add(time.Now().UTC()).Add(time.Second))
		})
	}
	for _, instant := range []string{"2100-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2100-06-01t12:00:00+05:30"} {
		t.Run(instant, func(t *testing.T) {
			t.Parallel()
			key := root.in(t).issue(map[string]string{"expiry": instant})
			want, err := time.Parse(time.RFC3339, strings.ToUpper(instant))
			require.NoError(t, err)
			require.True(t, want.Equal(*read[whoAmI](key.in(t).do("GET", "/whoami", nil).expect(200)).Token.ExpiresAt))
		})
	}
}

func TestAPIKeyBadInput(t *testing.T) {
	t.Parallel()
	root := start(t).initialize()
	for _, expiry := range []string{"soon", "-1:00:00:00", "-P1D", "0:00:00:00", "00:00", "PT0S", "P", "PT",
		"2001-01-01T00:00:00Z", "10000-01-01T00:00:00Z",
		"9999-12-31T23:59:59.1Z", "P8000Y", "3000000.00:00:00", "99999999:23:59:59", "10:25:10:00", "10:12:60:00",
		"24:00", "1", "3600", "P1DT", "1y", "0d", "1h1d", " ",
		"10:12:10:00:00", "2100-02-30T00:00:00Z", "2100-01-01", "2100-01-01T00:00:00", "99999999999999999999:00:00:00",
		"１:00:00:00"} {
		t.Run("expiry "+expiry, func(t *testing.T) {
			t.Parallel()
			root.in(t).do("POST", "/api-keys", map[string]string{"expiry": expiry}).refuses(400,
				"invalid_expiry").about("expiry")
		})
	}
	for name, text := range map[string]string{"long": strings.Repeat("x", 101), "control": "a\nb", "NUL": "\x00",
		"DEL": "\x7f"} {
		t.Run("name "+name, func(t *testing.T) {
			t.Parallel()
			root.in(t).do("POST", "/api-keys", map[string]string{"name": text}).refuses(400,
				"invalid_name").about("name")
		})
	}
	root.issue(map[string]string{"name": strings.Repeat("ü", 100)})
	require.Len(t, read[[]apiKeyLine](root.do("GET", "/api-keys", nil)), 2, "what was refused left nothing behind")
}

// TestExpiringKeyCannotOutliveItself verifies that a request with an expiring API key only creates keys that expire no
// later than this key. A request with a session may create a key that never expires.
func TestExpiringKeyCannotOutliveItself(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	ends := func(c client) *time.Time {
		return read[whoAmI](c.do("GET", "/whoami", nil).expect(200)).Token.ExpiresAt
	}
	maker := root.issue(`{"expiry":"1:00:00:00"}`)
	limit := ends(maker)
	require.Equal(t, limit, ends(maker.issue(nil)), "never becomes the maker's end")
	require.Equal(t, limit, ends(maker.issue(`{"expiry":"2:00:00:00"}`)))
	require.True(t, ends(maker.issue(`{"expiry":"01:00"}`)).Before(*limit))
	require.Equal(t, limit, ends(maker.issue(nil).issue(nil)), "nor by a chain of keys")
	require.Nil(t, ends(root.issue(nil)))
	require.Nil(t, ends(s.signIn("root", "root-password").issue(nil)))
}

func TestListAPIKeys(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	user := root.user("user1")
	second := user.issue(`{"name":"CI","expiry":"2100-01-01T00:00:00Z"}`)
	var lines []apiKeyLine
	require.Eventually(t, func() bool {
		lines = read[[]apiKeyLine](user.do("GET", "/api-keys", nil).expect(200).isJSON())
		return len(lines) > 0 && lines[0].LastUsedAt != nil
	}, 20*time.Second, 50*time.Millisecond, "a use is noted within seconds")
	require.Len(t, lines, 2, "its own alone")
	require.Equal(t, user.keyID(), lines[0].ID, "oldest first")
	require.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:00Z$`, *lines[0].LastUsedAt, "to the minute")
	require.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`, lines[0].CreatedAt)
	require.Equal(t, "CI", lines[1].Name)
	require.Equal(t, "2100-01-01T00:00:00Z", *lines[1].ExpiresAt)
	require.Nil(t, lines[1].LastUsedAt, "not used yet")
	require.Contains(t, string(user.do("GET", "/api-keys", nil).Body), `"lastUsedAt":null`)
	require.NotContains(t, string(user.do("GET", "/api-keys", nil).Body), second.token)
	second.do("GET", "/whoami", nil).expect(200)
	require.Eventually(t, func() bool {
		return read[[]apiKeyLine](user.do("GET", "/api-keys", nil))[1].LastUsedAt != nil
	}, 20*time.Second, 50*time.Millisecond)
}

func TestRevokeAPIKey(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	user := root.user("user1")
	for name, path := range map[string]func(client) string{
		"whole":                 func(c client) string { return c.token },
		"by its id":             func(c client) string { return c.keyID() },
		"by its id in capitals": func(c client) string { return strings.ToUpper(c.keyID()) },
	} {
		for who, deleter := range map[string]client{"its owner": user, "an admin": root} {
			t.Run(name+" by "+who, func(t *testing.T) {
				t.Parallel()
				key := user.in(t).issue(nil)
				at := "/api-keys/" + path(key)
				deleter.in(t).do("DELETE", at, nil).expect(204).isEmpty("application/json")
				key.in(t).do("GET", "/whoami", nil).refuses(401, "unauthenticated")
				deleter.in(t).do("DELETE", at, nil).refuses(404, "api_key_not_found")
			})
		}
	}
	t.Run("by itself", func(t *testing.T) {
		t.Parallel()
		key := user.in(t).issue(nil)
		key.do("DELETE", "/api-keys/"+key.token, nil).expect(204)
		key.do("GET", "/whoami", nil).refuses(401, "unauthenticated")
	})
}

func TestRevokeUnknownAPIKeys(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	user, other := root.user("user1"), root.user("user2")
	other.issue(nil)
	session := s.signIn("user1", "user1-password")
	for name, key := range map[string]string{
		"another user's":           other.token,
		"another user's id":        other.keyID(),
		"the owner's":              root.token,
		"unknown id":               "01890000-0000-7000-8000-000000000000",
		"zero id":                  "00000000-0000-0000-0000-000000000000",
		"nonsense":                 "nonsense",
		"a session":                session.token,
		"a session's id":           session.keyID(),
		"with a damaged signature": user.token[:len(user.token)-4] + "AAAA",
		"percent":                  "%25",
		"slash":                    "a%2Fb",
		"dots":                     "..",
		"NUL":                      "%00",
		"not UTF-8":                "%ff",
		"long":                     strings.Repeat("x", 8000),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			user.in(t).do("DELETE", "/api-keys/"+key, nil).refuses(404, "api_key_not_found")
		})
	}
}

// TestLastUsableAPIKeyCannotBeDeleted verifies that the last usable API key of a user cannot be deleted, even by an
// admin. Expired API keys are not usable and can be deleted.
func TestLastUsableAPIKeyCannotBeDeleted(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	user := root.user("user1")
	ended := user.issue(`{"expiry":"00:00:01"}`)
	id := ended.keyID()
	require.Eventually(t, func() bool { return ended.do("GET", "/whoami", nil).Status == 401 }, time.Minute,
		50*time.Millisecond)
	for _, deleter := range []client{user, root, s.signIn("user1", "user1-password")} {
		deleter.do("DELETE", "/api-keys/"+user.token, nil).refuses(409, "last_api_key")
	}
	require.Len(t, read[[]apiKeyLine](user.do("GET", "/api-keys", nil)), 2)
	require.Equal(t, []string{user.keyID()}, read[describedUser](user.do("GET", "/users/user1", nil)).APIKeys,
		"ids of the usable ones")
	user.do("DELETE", "/api-keys/"+id, nil).expect(204)
	another := user.issue(nil)
	user.do("DELETE", "/api-keys/"+user.token, nil).expect(204)
	another.do("DELETE", "/api-keys/"+another.token, nil).refuses(409, "last_api_key")
}

// TestDeleteExpiredKeyByItsText deletes an expired API key with a URL that contains the whole key instead of its id.
// The server verifies the signature of this key and ignores its expiry.
func TestDeleteExpiredKeyByItsText(t *testing.T) {
	t.Parallel()
	root := start(t).initialize()
	ended := root.issue(`{"expiry":"00:00:01"}`)
	require.Eventually(t, func() bool { return ended.do("GET", "/whoami", nil).Status == 401 }, time.Minute,
		50*time.Millisecond)
	root.do("DELETE", "/api-keys/"+ended.token, nil).expect(204)
}

// TestAPIKeysPerUser verifies the limit of API keys per user. Expired keys count.
func TestAPIKeysPerUser(t *testing.T) {
	t.Parallel()
	root := start(t).initialize()
	user := root.user("user1")
	run(t, root.server.db, `INSERT INTO api_keys (id, user_id, name, key_id, created_at, expires_at)
		SELECT gen_random_uuid(), k.user_id, '', k.key_id, k.created_at, now() FROM api_keys k
			JOIN users u ON u.id = k.user_id,
		generate_series(1, $1) WHERE u.name = 'user1'`, domain.MaxAPIKeysPerUser-2)
	user.issue(nil)
	user.do("POST", "/api-keys", nil).refuses(409, "limit_reached")
	root.issue(nil)
	user.do("DELETE", "/api-keys/"+read[[]apiKeyLine](user.do("GET", "/api-keys", nil))[0].ID, nil).expect(204)
}

func TestOwnersAPIKeysAreProtected(t *testing.T) {
	t.Parallel()
	root := start(t).initialize()
	admin := root.admin("admin1")
	spare := root.issue(nil)
	admin.do("DELETE", "/api-keys/"+spare.token, nil).refuses(403, "owner_protected")
	admin.do("DELETE", "/api-keys/"+spare.keyID(), nil).refuses(403, "owner_protected")
	root.do("DELETE", "/api-keys/"+spare.token, nil).expect(204)
}
