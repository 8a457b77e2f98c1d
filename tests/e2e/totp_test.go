package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"
)

// codeOf computes the TOTP code that an authenticator app shows. The argument later is the number of time steps from
// now.
func codeOf(t testing.TB, secret string, later int) string {
	t.Helper()
	code, err := totp.GenerateCode(secret, time.Now().Add(time.Duration(later)*30*time.Second))
	require.NoError(t, err)
	return code
}

// forgetSteps makes the server accept used codes again. Without it, a test would have to wait for the next time step,
// because the server accepts each code once.
func forgetSteps(t testing.TB, s *server) {
	t.Helper()
	run(t, s.db, `UPDATE one_time_codes SET last_step = 0`)
}

type enrolment struct {
	Secret        string   `json:"secret"`
	URI           string   `json:"uri"`
	QR            string   `json:"qr"`
	RecoveryCodes []string `json:"recoveryCodes"`
}

// enrol gives a user a confirmed TOTP secret.
func (c client) enrol(username string) enrolment {
	c.server.t.Helper()
	return c.enrolWith(username, username+"-password")
}

// enrolWith does the same as enrol, for a user with the given password.
func (c client) enrolWith(username, password string) enrolment {
	c.server.t.Helper()
	proof := map[string]string{"currentPassword": password}
	made := read[enrolment](c.do("POST", "/users/"+username+"/totp", proof).expect(201).isJSON())
	proof["code"] = codeOf(c.server.t, made.Secret, 0)
	c.do("POST", "/users/"+username+"/totp/confirm", proof).expect(204)
	return made
}

// ownProof returns the body of a request that enrols or confirms a TOTP secret. It contains the user's current
// password, and a code if code is not empty.
func ownProof(username, code string) map[string]string {
	body := map[string]string{"currentPassword": username + "-password"}
	if code != "" {
		body["code"] = code
	}
	return body
}

func passwordAndCode(username, password, code string) map[string]string {
	return map[string]string{"username": username, "password": password, "code": code}
}

func TestSecondFactor(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	user := root.user("User1")
	signIn := func(code string) *answer {
		return s.as("").do("POST", "/authenticate", passwordAndCode("user1", "User1-password", code))
	}
	made := read[enrolment](user.do("POST", "/users/user1/totp", ownProof("User1", "")).expect(201))
	require.Len(t, made.RecoveryCodes, 10)
	require.Equal(t, "otpauth://totp/Lockbox:User1?algorithm=SHA1&digits=6&issuer=Lockbox&period=30&secret="+
		made.Secret, made.URI)
	png, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(made.QR, "data:image/png;base64,"))
	require.NoError(t, err)
	require.Equal(t, "\x89PNG", string(png[:4]))
	signIn("").expect(200) // not confirmed yet

	user.do("POST", "/users/user1/totp/confirm", ownProof("User1", "000000")).refuses(403, "code_wrong")
	user.do("POST", "/users/user1/totp/confirm", ownProof("User1", codeOf(t, made.Secret, 0))).expect(204)
	signIn("").refuses(401, "totp_required")
	signIn(codeOf(t, made.Secret, 0)).refuses(401, "wrong_credentials") // the confirmation has used this code
	signIn(codeOf(t, made.Secret, 1)).expect(200)
	signIn(codeOf(t, made.Secret, 1)).refuses(401, "wrong_credentials")
	signIn("123").refuses(401, "wrong_credentials")
	forgetSteps(t, s)
	number := json.Number(strings.TrimLeft(codeOf(t, made.Secret, 0), "0"))
	s.as("").do("POST", "/authenticate",
		map[string]any{"username": "user1", "password": "User1-password", "code": number}).expect(200)

	signIn(made.RecoveryCodes[3]).expect(200)
	signIn(made.RecoveryCodes[3]).refuses(401, "wrong_credentials")
	signIn(strings.ToLower(strings.ReplaceAll(made.RecoveryCodes[4], "-", ""))).expect(200)
	s.as("").do("POST", "/authenticate", passwordAndCode("user1", "wrong-password", made.RecoveryCodes[5])).refuses(401,
		"wrong_credentials")
	signIn(made.RecoveryCodes[5]).expect(200)
}

// TestReplaceAndRemoveCode covers the replacement and the removal of a confirmed TOTP secret. The user needs a code for
// both. An admin can remove the secret without a code, except the secret of the owner.
func TestReplaceAndRemoveCode(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	user, admin := root.user("user1"), root.admin("admin1")
	first := user.enrol("user1")
	user.do("POST", "/users/user1/totp", nil).refuses(400, "code_required").about("code")
	user.do("POST", "/users/user1/totp", ownProof("user1", "000000")).refuses(403, "code_wrong")
	second := read[enrolment](user.do("POST", "/users/user1/totp",
		ownProof("user1", first.RecoveryCodes[0])).expect(201))
	forgetSteps(t, s)
	s.as("").do("POST", "/authenticate",
		passwordAndCode("user1", "user1-password", codeOf(t, first.Secret, 0))).expect(200)
	user.do("POST", "/users/user1/totp/confirm", ownProof("user1", codeOf(t, second.Secret, 0))).expect(204)
	forgetSteps(t, s)
	s.as("").do("POST", "/authenticate",
		passwordAndCode("user1", "user1-password", codeOf(t, first.Secret, 0))).expect(401)
	s.as("").do("POST", "/authenticate", passwordAndCode("user1", "user1-password", first.RecoveryCodes[1])).expect(401)
	s.as("").do("POST", "/authenticate",
		passwordAndCode("user1", "user1-password", second.RecoveryCodes[1])).expect(200)

	user.do("DELETE", "/users/user1/totp", nil).refuses(400, "code_required")
	user.do("DELETE", "/users/user1/totp", `{"code":"`+codeOf(t, second.Secret, 1)+`"}`).expect(204)
	user.do("DELETE", "/users/user1/totp", nil).refuses(404, "totp_not_found")
	s.signIn("user1", "user1-password")

	user.enrol("user1")
	admin.do("POST", "/users/user1/totp", nil).refuses(403, "itself_only")
	admin.do("DELETE", "/users/user1/totp", nil).expect(204)
	s.signIn("user1", "user1-password")
	root.enrol("root")
	admin.do("DELETE", "/users/root/totp", nil).refuses(403, "owner_protected")
	root.do("DELETE", "/users/root/totp", nil).refuses(400, "code_required")
}

// TestCodeOnce sends concurrent sign-ins with the same code to two replicas. Exactly one of them must succeed.
func TestCodeOnce(t *testing.T) {
	t.Parallel()
	for _, isolation := range []string{readCommitted, repeatableRead} {
		t.Run(isolation, func(t *testing.T) {
			t.Parallel()
			c := startCluster(t, isolation)
			c.root.do("POST", "/api/v1/user/add", `{"username":"anna","group":"viewer"}`).expect(200)
			secret := c.root.do("GET", "/api/v1/user/auth/setup/anna", nil).expect(200).string("secret")
			user := c.root.user("user1")
			made := user.enrol("user1")
			for range repeats() {
				forgetSteps(t, c.a)
				body := map[string]string{"username": "anna", "code": codeOf(t, secret, 0)}
				other := passwordAndCode("user1", "user1-password", codeOf(t, made.Secret, 0))
				recovery := passwordAndCode("user1", "user1-password", made.RecoveryCodes[0])
				accounts, classic, spent := map[int]int{}, map[int]int{}, 0
				var requests []func() *answer
				for i := range 4 {
					requests = append(requests,
						func() *answer { return c.on(i).as("").do("POST", "/api/v1/user/auth", body) },
						func() *answer { return c.on(i).as("").do("POST", "/authenticate", other) },
						func() *answer { return c.on(i).as("").do("POST", "/authenticate", recovery) })
				}
				for i, got := range c.atOnce(requests...) {
					switch i % 3 {
					case 0:
						accounts[got.Status]++
					case 1:
						classic[got.Status]++
					case 2:
						if got.Status == 200 {
							spent++
						}
					}
				}
				require.LessOrEqual(t, accounts[200], 1)
				require.LessOrEqual(t, classic[200], 1)
				if isolation == readCommitted {
					require.Equal(t, map[int]int{200: 1, 400: 3}, accounts)
					require.Equal(t, map[int]int{200: 1, 401: 3}, classic)
				}
				require.LessOrEqual(t, spent, 1)
				made.RecoveryCodes = append(made.RecoveryCodes[1:], fmt.Sprint("used up ", spent))
			}
		})
	}
}
