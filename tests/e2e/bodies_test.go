package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/httpapi"
)

// bodyRoute is a route that reads a body.
type bodyRoute struct {
	method, template, path string
	// optional reports whether the route accepts an empty body.
	optional bool
	// emptyCode is the error code of the 403 response to an empty body. It is set for a route that requires a password
	// only from some users. The user of this test is one of them. From other users, the route accepts an empty body.
	emptyCode string
	// good is a valid body. status is the status of the response to this body.
	good   string
	status int
	// wanted is the required JSON type of the body. If wanted is empty, the type is "a JSON object".
	wanted string
	// The field named wrong lists bodies in which one field has the wrong type. Each element names the field and its
	// required type.
	wrong []wrongField
	// limit is the size of the largest accepted body. The value 0 means MAX_BODY_BYTES.
	limit int
}

type wrongField struct{ body, field, wanted string }

func bodyRoutes() []bodyRoute {
	return []bodyRoute{
		{
			method:   "POST",
			template: "/init",
			path:     "/init",
			good:     `{"username":"second","password":"second-password"}`,
			status:   409,
			wrong: []wrongField{{`{"username":1,"password":"abcdef"}`, "username", "a string"},
				{`{"username":"x","password":[]}`, "password", "a string"}},
		},
		{
			method:   "POST",
			template: "/authenticate",
			path:     "/authenticate",
			good:     `{"username":"root","password":"root-password"}`,
			status:   200,
			wrong: []wrongField{{`{"username":{},"password":"abcdef"}`, "username", "a string"},
				{`{"username":"x","password":123456}`, "password", "a string"}},
		},
		{
			method:   "POST",
			template: "/api-keys",
			path:     "/api-keys",
			optional: true,
			good:     `{"expiry":"1:00:00:00"}`,
			status:   200,
			wrong:    []wrongField{{`{"expiry":3600}`, "expiry", "a string"}, {`{"name":true}`, "name", "a string"}},
		},
		{
			method:   "POST",
			template: "/users",
			path:     "/users",
			good:     `{"username":"%d","password":"some-password"}`,
			status:   201,
			wrong: []wrongField{{`{"username":[],"password":"abcdef"}`, "username", "a string"},
				{`{"username":"x","password":false}`, "password", "a string"},
				{`{"username":"x","password":"abcdef","role":1}`, "role", "a string"}},
		},
		{
			method:   "PUT",
			template: "/users/:username",
			path:     "/users/member",
			good:     `{"role":"user"}`,
			status:   204,
			wrong: []wrongField{{`{"role":1}`, "role", "a string"}, {`{"isActive":"yes"}`, "isActive", "true or false"},
				{`{"password":1}`, "password", "a string"},
				{`{"currentPassword":{}}`, "currentPassword", "a string"},
				{`{"revokeApiKeys":1}`, "revokeApiKeys", "true or false"}, {`{"group":1}`, "group", "a string"}},
		},
		{
			method:   "POST",
			template: "/invitations",
			path:     "/invitations",
			good:     `{"username":"invited"}`,
			status:   201,
			wrong: []wrongField{{`{"username":1}`, "username", "a string"},
				{`{"username":"x","role":[]}`, "role", "a string"},
				{`{"username":"x","expiry":3600}`, "expiry", "a string"}},
		},
		{
			method:   "POST",
			template: "/invitations/accept",
			path:     "/invitations/accept",
			good:     `{"code":"unknown","password":"a-password"}`,
			status:   401,
			wrong: []wrongField{{`{"code":1,"password":"a-password"}`, "code", "a string"},
				{`{"code":"x","password":123456}`, "password", "a string"}},
		},
		{
			method:    "POST",
			template:  "/users/:username/totp",
			path:      "/users/root/totp",
			good:      `{"code":"123456","currentPassword":"root-password"}`,
			status:    201,
			wrong:     []wrongField{{`{"currentPassword":1}`, "currentPassword", "a string"}},
			optional:  true,
			emptyCode: "totp_password_required",
		},
		{
			method:   "POST",
			template: "/users/:username/totp/confirm",
			path:     "/users/member/totp/confirm",
			good:     `{"code":"123456","currentPassword":"member-password"}`,
			status:   403,
			wrong:    []wrongField{{`{"code":"1","currentPassword":1}`, "currentPassword", "a string"}},
		},
		{
			method:   "PUT",
			template: "/users/:username/identity",
			path:     "/users/root/identity",
			good:     `{"public":"lbpk1_x"}`,
			status:   403, // the token is an API key
			wrong: []wrongField{{`{"public":1}`, "public", "a string"},
				{`{"public":"x","locked":[]}`, "locked", "a string"}},
		},
		{
			method:   "PUT",
			template: "/users/:username/identity/locked",
			path:     "/users/root/identity/locked",
			good:     `{"locked":"AQID"}`,
			status:   403,
			wrong:    []wrongField{{`{"locked":1}`, "locked", "a string"}},
		},
		{
			method:   "PUT",
			template: "/boxes/:box/keyring",
			path:     "/boxes/default/keyring",
			good:     `{"head":""}`,
			status:   428,
			wrong: []wrongField{{`{"head":1}`, "head", "a string"},
				{`{"recipients":"anna"}`, "recipients", "a list of JSON objects"},
				{`{"remove":"anna"}`, "remove", "a list of strings"},
				{`{"reset":"yes"}`, "reset", "true or false"}},
			limit: 4 << 20,
		},
		{
			method:   "PUT",
			template: "/boxes/:box",
			path:     "/boxes/default",
			good:     `{"owner":"root"}`,
			status:   204,
			wrong:    []wrongField{{`{"owner":["root"]}`, "owner", "a string"}},
		},
		{
			method:   "POST",
			template: "/boxes/:box/users",
			path:     "/boxes/default/users",
			good:     `{"username":"member"}`,
			status:   409,
			wrong: []wrongField{{`{"username":1}`, "username", "a string"},
				{`{"username":"member","role":2}`, "role", "a string"}},
		},
		{
			method:   "PUT",
			template: "/boxes/:box/users/:username",
			path:     "/boxes/default/users/member",
			optional: true,
			good:     `{"role":"boxuser"}`,
			status:   204,
			wrong: []wrongField{{`{"role":{}}`, "role", "a string"},
				{`{"isActive":0}`, "isActive", "true or false"}},
		},
		{
			method:   "PUT",
			template: "/boxes/:box/users/:username/permissions",
			path:     "/boxes/default/users/member/permissions",
			optional: true,
			good:     `["readEntry"]`,
			status:   204,
			wanted:   "a list of strings",
			wrong: []wrongField{{`{"readEntry":true}`, "", "a list of strings"},
				{`["readEntry",1]`, "", "a list of strings"}, {`"readEntry"`, "", "a list of strings"}},
		},
		{
			method:   "POST",
			template: "/boxes/:box/entries",
			path:     "/boxes/default/entries",
			good:     `{"key":"bodies","value":1}`,
			status:   201,
			wrong:    []wrongField{{`{"key":1,"value":1}`, "key", "a string"}},
		},
		{
			method:   "POST",
			template: "/boxes/:box/entries/:key/restore",
			path:     "/boxes/default/entries/fixed/restore",
			good:     `{"version":1}`,
			status:   201,
			wrong: []wrongField{{`{"version":"1"}`, "version", "a whole number"},
				{`{"version":-1}`, "version", "a whole number"},
				{`{"version":1.5}`, "version", "a whole number"},
				{`{"version":18446744073709551616}`, "version", "a whole number"}},
		},
	}
}

// withoutBody lists the POST routes that read no body.
var withoutBody = map[string]bool{"POST /boxes/:box": true, "POST /boxes/:box/offer/accept": true}

func TestBodiesNamesEveryRouteThatReadsOne(t *testing.T) {
	t.Parallel()
	var listed, all []string
	for _, route := range bodyRoutes() {
		listed = append(listed, route.method+" "+route.template)
	}
	for _, route := range httpapi.Routes() {
		if name := route.Method + " " +
			route.Path; route.Method != "GET" && route.Method != "DELETE" && !withoutBody[name] &&
			!route.AccountsAPI() {
			all = append(all, name)
		}
	}
	require.ElementsMatch(t, all, listed)
}

// TestBodies sends valid and invalid bodies to every route that reads one.
func TestBodies(t *testing.T) {
	t.Parallel()
	s := start(t, "MAX_BODY_BYTES=4096", "MAX_VALUE_BYTES=2048", "ENTRY_VERSIONS=0")
	root := s.initialize()
	root.user("member")
	root.box("default")
	root.share("default", "member")
	root.put("default", "fixed", `1`).expect(201)
	for _, route := range bodyRoutes() {
		t.Run(route.method+" "+route.template, func(t *testing.T) {
			t.Parallel()
			serial := 0
			send := func(body any, contentType string) *answer {
				serial++
				if text, ok := body.(string); ok && strings.Contains(text, "%d") {
					body = fmt.Sprintf(text, serial)
				}
				return root.in(t).do(route.method, route.path, body, "X-Encryption-Key", generatedKey, "Content-Type",
					contentType)
			}
			goodBodies(t, route, send)
			badBodies(t, route, send)
		})
	}
}

// TestABodyOfUnknownLength sends a body without Content-Length. The limit on the size must still apply.
func TestABodyOfUnknownLength(t *testing.T) {
	t.Parallel()
	s := start(t, "MAX_BODY_BYTES=2048", "MAX_VALUE_BYTES=0")
	s.initialize()
	for size, status := range map[int]int{2048: 200, 2049: 413, 1 << 20: 413} {
		body := `{"username":"root","password":"root-password"}`
		body = strings.Repeat(" ", size-len(body)) + body
		request, err := http.NewRequestWithContext(t.Context(), "POST", s.url+"/authenticate",
			io.MultiReader(strings.NewReader(body)))
		require.NoError(t, err)
		request.Header.Set("Content-Type", jsonType)
		require.Zero(t, request.ContentLength)
		response, err := httpClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, status, response.StatusCode, size)
	}
}

// TestBodyLimitWithoutAToken verifies the small body limit of requests without a token. The limit is larger if the
// request has a valid token, except on routes that ignore tokens.
func TestBodyLimitWithoutAToken(t *testing.T) {
	t.Parallel()
	s := start(t, "REQUIRE_ADMIN_TO_CREATE_USER=false")
	root := s.initialize()
	const most = 16 << 10
	padded := func(size int, body string) string { return strings.Repeat(" ", size-len(body)) + body }
	const signIn, register = `{"username":"root","password":"root-password"}`, `{"username":"%s",` +
		`"password":"some-password"}`
	s.as("").do("POST", "/authenticate", padded(most, signIn)).expect(200)
	s.as("").do("POST", "/authenticate", padded(most+1, signIn)).refuses(413, "body_too_large")
	s.as("").do("POST", "/users", padded(most, fmt.Sprintf(register, "user1"))).expect(201)
	s.as("").do("POST", "/users", padded(most+1, fmt.Sprintf(register, "user2"))).refuses(413, "body_too_large")
	const accept = `{"code":"unknown","password":"some-password"}`
	for _, sender := range []client{s.as(""), root} { // the route reads no token
		sender.do("POST", "/invitations/accept", padded(most, accept)).refuses(401, "invitation_invalid")
		sender.do("POST", "/invitations/accept", padded(most+1, accept)).refuses(413, "body_too_large")
	}
	root.do("POST", "/users", padded(1<<20, fmt.Sprintf(register, "user2"))).expect(201)
	root.do("POST", "/users", padded(1<<20+1, fmt.Sprintf(register, "user3"))).refuses(413, "body_too_large")
}

const jsonType = "application/json"

func goodBodies(t *testing.T, route bodyRoute, send func(body any, contentType string) *answer) {
	t.Helper()
	for _, contentType := range []string{jsonType, "Application/JSON", "application/json; charset=utf-8",
		`application/json; profile="x;y"`, "application/json; charset=utf-8; charset=utf-8", "text/json; a=1; A=2",
		"application/json; =", "text/json",
		"text/json;charset=UTF-8", "application/x+json", "application/vnd.lockbox.v1+json; a=b"} {
		require.Equal(t, route.status, send(route.good, contentType).Status, "accepted: %s", contentType)
	}
	send(" \r\n\t"+route.good+"\n", jsonType).expect(route.status)
	if strings.HasPrefix(route.good, "{") {
		send(`{"unknown":{"field":[1]},`+route.good[1:], jsonType).expect(route.status)
		send(`{"unknown":"\ud83d\ude00 \\ud800 \u0041",`+route.good[1:], jsonType).expect(route.status)
	}
	for _, contentType := range []string{jsonType, "text/plain", "", "image/png"} {
		empty := send("", contentType)
		switch {
		case route.emptyCode != "":
			empty.refuses(403, route.emptyCode)
		case !route.optional:
			empty.refuses(400, "body_required")
		default:
			require.Less(t, empty.Status, 300, "an empty body is none, whatever its type: %s", contentType)
		}
	}
}

func badBodies(t *testing.T, route bodyRoute, send func(body any, contentType string) *answer) {
	t.Helper()
	for _, body := range []string{`{`, `not json`, `{"a":1,}`, `{'a':1}`, `{} {}`, `{}x`, `{"a":1}]`, "\xef\xbb\xbf{}",
		`{"a":01}`, "\"\x01\"", "{\"a\":\"\xff\"}", "\x00"} {
		send(body, jsonType).refuses(400, "malformed_json")
	}
	lone := []string{`{"unknown":"\ud800"}`, `{"\uDFFF":1}`, `{"unknown":["\ud83d\ud83d\ude00"]}`,
		`{"unknown":"\\\ud800"}`}
	if strings.HasPrefix(route.good, "[") {
		lone = []string{`["\ud800"]`, `["readEntry","\uDFFF"]`, `["\ude00\ud83d"]`}
	}
	for _, body := range lone {
		send(body, jsonType).refuses(400, "malformed_json")
	}
	deep := strings.Repeat("[", 2000)
	send(deep, jsonType).refuses(400, "malformed_json")
	for _, contentType := range []string{"text/plain", "application/xml", "application/x-www-form-urlencoded",
		"multipart/form-data; boundary=x",
		"application/jsonx", "text/x+json", "json", "*/*", "application/", ";"} {
		require.Equal(t, 415, send(route.good, contentType).refuses(415, "unsupported_media_type").Status, contentType)
	}
	wanted := route.wanted
	if wanted == "" {
		wanted = "a JSON object"
	}
	for _, body := range []string{`5`, `true`} {
		got := send(body, jsonType).refuses(400, "wrong_type").about("")
		require.Equal(t, "the body must be "+wanted, got.problem().Detail)
	}
	for _, wrong := range route.wrong {
		got := send(wrong.body, jsonType).refuses(400, "wrong_type").about(wrong.field)
		require.Contains(t, got.problem().Detail, " must be "+wrong.wanted)
	}
	limit := route.limit
	if limit == 0 {
		limit = 4096
	}
	send(`{"unknown":"`+strings.Repeat("x", limit)+`"}`, jsonType).refuses(413, "body_too_large")
	send(strings.Repeat(" ", limit-len(route.good))+route.good, jsonType).expect(route.status)
	send(strings.Repeat(" ", limit+1-len(route.good))+route.good, jsonType).refuses(413, "body_too_large")
}
