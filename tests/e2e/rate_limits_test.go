package e2e

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// rateLimited requires the status 429 and a header Retry-After with a positive number of seconds.
func (a *answer) rateLimited() *answer {
	a.t.Helper()
	a.expect(429)
	seconds, err := strconv.Atoi(a.Header.Get("Retry-After"))
	require.NoError(a.t, err, a.request)
	require.Positive(a.t, seconds)
	return a
}

// expireLockouts ends all lockouts. It does not reset the counts of failures.
func expireLockouts(t testing.TB, s *server) {
	t.Helper()
	run(t, s.db, `UPDATE throttle SET blocked_until = now() - interval '1 second' WHERE blocked_until > now()`)
}

func guess(s *server, name, password string, headers ...string) *answer {
	return s.as("").do("POST", "/authenticate", map[string]string{"username": name, "password": password}, headers...)
}

func TestRateLimitOfSignIns(t *testing.T) {
	t.Parallel()
	s := start(t, "THROTTLE_FREE_ATTEMPTS=5")
	root := s.initialize()
	root.user("user1")
	for _, name := range []string{"user1", "ghost"} { // an unknown name counts like a known one
		for range 5 {
			guess(s, name, "wrong-password").refuses(401, "wrong_credentials")
		}
		got := guess(s, strings.ToUpper(name), "wrong-password").rateLimited().refuses(429, "throttled")
		require.Equal(t, "30", got.Header.Get("Retry-After"))
		guess(s, name, name+"-password").rateLimited()
		s.as("").do("POST", "/api/v1/user/auth",
			map[string]string{"username": name, "code": "123456"}).rateLimited().failsUnnumbered(429)
	}
	expireLockouts(t, s)
	guess(s, "user1", "wrong-password").refuses(401, "wrong_credentials")
	require.Equal(t, "60", guess(s, "user1", "wrong-password").rateLimited().Header.Get("Retry-After"))
	expireLockouts(t, s)
	s.signIn("user1", "user1-password") // which resets the count
	for range 5 {
		guess(s, "user1", "wrong-password").expect(401)
	}
	guess(s, "user1", "wrong-password").rateLimited()
	require.Equal(t, 3, number(t, s.db, `SELECT count(*) FROM events WHERE outcome = 'throttled' AND target = 'user1'`),
		"one for each pause")
	require.Equal(t, 11, number(t, s.db, `SELECT count(*) FROM events WHERE outcome = 'denied' AND target = 'user1'`))

	s.stop()
	again := startOn(t, s.db, "THROTTLE_FREE_ATTEMPTS=5")
	guess(again, "user1", "user1-password").rateLimited() // the count survives a restart
	again.as(root.token).do("GET", "/whoami", nil).expect(200)
}

// TestRightPasswordWithoutCode covers sign-ins with the right password but without a code. Such a sign-in must leave
// the count of failures unchanged.
func TestRightPasswordWithoutCode(t *testing.T) {
	t.Parallel()
	s := start(t, "THROTTLE_FREE_ATTEMPTS=3")
	user := s.initialize().user("user1")
	made := user.enrol("user1")
	for range 8 {
		guess(s, "user1", "user1-password").refuses(401, "totp_required")
	}
	signIn := func(code string) *answer {
		return s.as("").do("POST", "/authenticate", passwordAndCode("user1", "user1-password", code))
	}
	for range 2 {
		signIn("000000").expect(401)
		guess(s, "user1", "user1-password").refuses(401, "totp_required")
	}
	signIn("000000").expect(401)
	signIn(codeOf(t, made.Secret, 1)).rateLimited()
	expireLockouts(t, s)
	guess(s, "user1", "user1-password").refuses(401, "totp_required")
	signIn(codeOf(t, made.Secret, 1)).expect(200)
	// The limit also applies to requests with a token.
	for range 3 {
		user.do("DELETE", "/users/user1/totp", `{"code":"000000"}`).refuses(403, "code_wrong")
	}
	user.do("DELETE", "/users/user1/totp", `{"code":"`+made.RecoveryCodes[0]+`"}`).rateLimited()
	user.do("PUT", "/users/user1", `{"password":"another-password","currentPassword":"user1-password"}`).rateLimited()
}

// TestRateLimitPerAddress sends sign-ins with many names from one address. All IPv6 addresses with the same /64 prefix
// share one count. If a proxy is not trusted, all addresses behind it share the count of the proxy.
func TestRateLimitPerAddress(t *testing.T) {
	t.Parallel()
	s := start(t, "THROTTLE_FREE_ATTEMPTS=1", "TRUSTED_PROXIES=127.0.0.0/8")
	s.initialize()
	try := func(i int, from string) *answer {
		return guess(s, fmt.Sprintf("name-%d", i), "wrong-password", "X-Forwarded-For", from)
	}
	for i := range 40 {
		try(i, fmt.Sprintf("2001:db8:0:1::%x", i)).expect(401)
	}
	try(40, "2001:db8:0:1:ffff::1").rateLimited()
	try(41, "2001:db8:0:2::1").expect(401)
	// A successful sign-in does not reset the address's count.
	guess(s, "root", "root-password", "X-Forwarded-For", "2001:db8:0:1::7").rateLimited()

	untrusting := startOn(t, s.db, "THROTTLE_FREE_ATTEMPTS=1")
	for i := range 45 {
		guess(untrusting, fmt.Sprintf("other-%d", i), "wrong-password", "X-Forwarded-For", "198.51.100.1").expect(401)
	}
}

// TestRateLimitBehindUntrustedProxy sends requests from an untrusted peer with the header X-Forwarded-For. With this
// header, the limit for the peer's address is higher, but there is still a limit.
func TestRateLimitBehindUntrustedProxy(t *testing.T) {
	t.Parallel()
	s := start(t, "THROTTLE_FREE_ATTEMPTS=1", "INIT_TOKEN=the-init-token")
	initialize := func(i int) *answer {
		return s.as("").do("POST", "/init", `{"username":"root","password":"root-password"}`, "X-Init-Token", "wrong",
			"X-Forwarded-For", fmt.Sprintf("198.51.100.%d", i))
	}
	for i := range 20 {
		initialize(i).expect(401)
	}
	initialize(20).rateLimited()
	// Requests without the header have a separate count.
	s.as("").do("POST", "/init", `{"username":"root","password":"root-password"}`, "X-Init-Token",
		"the-init-token").expect(200)
}

// TestRateLimitOfInvalidNames verifies that invalid names count like valid ones.
func TestRateLimitOfInvalidNames(t *testing.T) {
	t.Parallel()
	s := start(t, "THROTTLE_FREE_ATTEMPTS=2")
	for _, name := range []string{`a\u0000b`, `ü`, ` `} {
		try := func() *answer {
			return s.as("").do("POST", "/authenticate", `{"username":"`+name+`","password":"wrong-password"}`)
		}
		try().expect(401)
		try().expect(401)
		try().rateLimited()
		try().rateLimited()
	}
}

func TestRateLimitsOfOtherRequests(t *testing.T) {
	t.Parallel()
	s := start(t, "THROTTLE_FREE_ATTEMPTS=2", "INIT_TOKEN=the-init-token", "REQUIRE_ADMIN_TO_CREATE_USER=false")
	initialize := func(token string) *answer {
		return s.as("").do("POST", "/init", `{"username":"root","password":"root-password"}`, "X-Init-Token", token)
	}
	initialize("").expect(401)
	initialize("wrong").expect(401)
	initialize("wrong").expect(401)
	initialize("the-init-token").rateLimited()
	expireLockouts(t, s)
	root := s.as(initialize("the-init-token").expect(200).string("apiKey"))

	register := func(i int) *answer {
		return s.as("").do("POST", "/users", fmt.Sprintf(`{"username":"new-%d","password":"some-password"}`, i))
	}
	for i := range 80 {
		register(i).expect(201)
	}
	register(80).rateLimited()
	root.user("by-an-admin")
	run(t, s.db, `DELETE FROM throttle`)

	for range 80 {
		s.as("").do("POST", "/api/v1/user/auth/refresh", refreshBody(strings.Repeat("0", 64))).expect(401)
	}
	s.as("").do("POST", "/api/v1/user/auth/refresh", refreshBody(strings.Repeat("0", 64))).rateLimited()
}

// TestRateLimitOfPassphrases sends wrong passphrases. The server counts the wrong passphrases separately for each pair
// of a caller and a box. It does not count wrong generated keys, because such keys cannot be guessed.
func TestRateLimitOfPassphrases(t *testing.T) {
	t.Parallel()
	s := start(t, "THROTTLE_FREE_ATTEMPTS=3")
	root := s.initialize()
	root.box("default")
	root.box("other")
	user := root.user("user1")
	root.share("default", "user1", "readEntry")
	for _, box := range []string{"default", "other"} {
		root.put(box, "entry", `1`, "X-Encryption-Key", "right").expect(201)
	}
	read := func(c client, box, key string) *answer { return c.get(box, "entry", "X-Encryption-Key", key) }
	for i := range 10 {
		read(root, "default", generatedKey).refuses(403, "encryption_key_mismatch")
		if i < 3 {
			read(root, "default", "wrong").refuses(403, "encryption_key_mismatch")
			read(root, "other", "right").expect(200)
		}
	}
	read(root, "default", "right").rateLimited()
	read(root, "default", "wrong").rateLimited()
	read(root, "other", "right").expect(200)
	read(user, "default", "right").expect(200)
	require.Equal(t, 1, number(t, s.db, `SELECT count(*) FROM events WHERE outcome = 'throttled'`))
	expireLockouts(t, s)
	read(root, "default", "right").expect(200)
}

// TestTenThousandGuesses guesses the password of one account and the TOTP code of another. The guesses come from ten
// thousand addresses. The server must refuse almost all guesses without a comparison with the right password or code.
// Meanwhile, both users must be able to sign in from an address that the server knows.
func TestTenThousandGuesses(t *testing.T) {
	t.Parallel()
	total := 50 * repeats() // ten thousand in the long run
	c := startCluster(t, readCommitted, "THROTTLE_FREE_ATTEMPTS=5", "TRUSTED_PROXIES=127.0.0.0/8")
	c.root.user("victim")
	secret := c.root.member("coded", "viewer")
	const home = "203.0.113.9"
	signIn := func() {
		body := map[string]string{"username": "victim", "password": "victim-password"}
		c.b.as("").do("POST", "/authenticate", body, "X-Forwarded-For", home).expect(200)
	}
	coded := func(later int) {
		c.a.as("").do("POST", "/api/v1/user/auth",
			map[string]string{"username": "coded", "code": codeOf(t, secret, later)}, "X-Forwarded-For",
			home).expect(200)
	}
	signIn()
	coded(0)
	var next, compared, refused atomic.Int64
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for i := next.Add(1); i <= int64(total); i = next.Add(1) {
				from := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}).String()
				path, body := "/authenticate", map[string]string{"username": "victim",
					"password": fmt.Sprint("guess-", i)}
				if i%2 == 0 {
					path, body = "/api/v1/user/auth", map[string]string{"username": "coded",
						"code": fmt.Sprintf("%06d", i)}
				}
				switch got := c.on(int(i/2)).as("").do("POST", path, body, "X-Forwarded-For", from); got.Status {
				case 400, 401:
					compared.Add(1)
				case 429:
					refused.Add(1)
				default:
					t.Errorf("%d: %s", got.Status, got.Body)
				}
				if i%1000 == 0 {
					signIn()
				}
			}
		})
	}
	group.Wait()
	forgetSteps(t, c.a)
	coded(0)
	t.Logf("%d guesses at two accounts: %d compared, %d refused unseen", total, compared.Load(), refused.Load())
	require.Equal(t, int64(total), compared.Load()+refused.Load())
	require.LessOrEqual(t, compared.Load(), int64(20))
}
