package e2e

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestInitMakesTheOwnerOnce(t *testing.T) {
	t.Parallel()
	s := start(t)
	anonymous := s.as("")
	got := anonymous.do("POST", "/init", `{"username":"Root.Admin","password":"secret"}`).expect(200).isJSON()
	require.Len(t, read[map[string]string](got), 1)
	root := s.as(got.string("apiKey"))
	require.Equal(t, "root.admin", root.do("GET", "/whoami", nil).expect(200).string("username"), "lower case")
	require.Equal(t, "admin", root.do("GET", "/whoami", nil).string("role"))
	s.signIn("root.admin", "secret")

	anonymous.do("POST", "/init", `{"username":"root.admin","password":"secret"}`).refuses(409, "already_initialized")
	anonymous.do("POST", "/init", `{"username":"other","password":"secret"}`).refuses(409, "already_initialized")
	root.do("POST", "/init", `{"username":"other","password":"secret"}`).refuses(409, "already_initialized")
	anonymous.do("POST", "/init", `{"username":"-"}`).refuses(409, "already_initialized")
	root.do("GET", "/users", nil).expect(200).is(`["root.admin"]`)
}

func TestInitAfterARestart(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.initialize()
	s.stop()
	startOn(t, s.db).as("").do("POST", "/init", `{"username":"other","password":"secret"}`).refuses(409,
		"already_initialized")
}

// TestInitBadInput sends invalid requests to POST /init. After these errors, a valid request must still succeed.
func TestInitBadInput(t *testing.T) {
	t.Parallel()
	s := start(t)
	for name, test := range map[string]struct{ body, code, field string }{
		"null":                {`null`, "username_required", "username"},
		"nothing":             {`{}`, "username_required", "username"},
		"no username":         {`{"password":"secret"}`, "username_required", "username"},
		"null username":       {`{"username":null,"password":"secret"}`, "username_required", "username"},
		"empty username":      {`{"username":"","password":"secret"}`, "username_required", "username"},
		"username of a space": {`{"username":" ","password":"secret"}`, "invalid_username", "username"},
		"no password":         {`{"username":"root"}`, "password_required", "password"},
		"null password":       {`{"username":"root","password":null}`, "password_required", "password"},
		"empty password":      {`{"username":"root","password":""}`, "password_required", "password"},
		"short password":      {`{"username":"root","password":"12345"}`, "invalid_password", "password"},
		"long password": {`{"username":"root","password":"` + strings.Repeat("x", 101) + `"}`, "invalid_password",
			"password"},
	} {
		t.Run(name, func(t *testing.T) {
			s.as("").in(t).do("POST", "/init", test.body).refuses(400, test.code).about(test.field)
		})
	}
	s.as("").do("POST", "/init", nil).refuses(400, "body_required")
	s.as("").do("POST", "/init", `{"USERNAME":"root","Password":"123456","role":"user","extra":1}`).expect(200)
}

func TestInitToken(t *testing.T) {
	t.Parallel()
	s := start(t, "INIT_TOKEN=let-me-in")
	const body = `{"username":"root","password":"root-password"}`
	for name, headers := range map[string][]string{
		"absent":   nil,
		"empty":    {"X-Init-Token", ""},
		"wrong":    {"X-Init-Token", "let-me-out"},
		"longer":   {"X-Init-Token", "let-me-in-"},
		"in caps":  {"X-Init-Token", "LET-ME-IN"},
		"as token": {"Authorization", "Bearer let-me-in"},
	} {
		t.Run(name, func(t *testing.T) {
			s.as("").in(t).do("POST", "/init", body, headers...).refuses(401, "init_token_required")
		})
	}
	s.as("").do("POST", "/init", body, "X-Init-Token", "let-me-in").expect(200)
	s.as("").do("POST", "/init", body, "X-Init-Token", "let-me-in").refuses(409, "already_initialized")
	s.as("").do("POST", "/init", body).refuses(401, "init_token_required")
}

func TestInitTokenIsIgnoredIfUnset(t *testing.T) {
	t.Parallel()
	start(t).as("").do("POST", "/init", `{"username":"root","password":"root-password"}`, "X-Init-Token",
		"whatever").expect(200)
}

func TestBeforeInit(t *testing.T) {
	t.Parallel()
	anonymous := start(t).as("")
	anonymous.do("POST", "/authenticate", `{"username":"root","password":"root-password"}`).refuses(401,
		"wrong_credentials")
	anonymous.do("POST", "/users", `{"username":"user1","password":"user1-password"}`).refuses(401, "unauthenticated")
}
