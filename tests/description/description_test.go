package description

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const forbidden = `{"type":"about:blank","title":"Forbidden","status":403,"detail":"no",` +
	`"instance":"urn:lockbox:request:1","code":"permission_missing","errors":[{"message":"no"}]}`

// exchange is a valid exchange, which tests modify.
type exchange struct {
	method, path, sent string
	status             int
	kind, answer       string
	// The headers in the field "with" are added to the response. The header that the field "without" names is removed
	// from the response.
	with    http.Header
	without string
}

func (e exchange) check(t *testing.T) error {
	t.Helper()
	described, err := Load()
	require.NoError(t, err)
	request := httptest.NewRequest(e.method, e.path, nil)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Encryption-Key", "a passphrase")
	header := http.Header{"X-Request-Id": {"1"}, "Cache-Control": {"no-store"}, "Vary": {"Authorization"}}
	if e.kind != "" {
		header.Set("Content-Type", e.kind)
	}
	for name, values := range e.with {
		header[name] = values
	}
	header.Del(e.without)
	return described.Check(Exchange{
		Request: request,
		Sent:    []byte(e.sent),
		Status:  e.status,
		Header:  header,
		Body:    []byte(e.answer),
	})
}

func read() exchange {
	return exchange{
		method: "GET",
		path:   "/boxes/default/entries/a%2Fb",
		status: 403,
		kind:   "application/problem+json",
		answer: forbidden,
	}
}

func list() exchange {
	return exchange{
		method: "GET",
		path:   "/api-keys",
		status: 200,
		kind:   "application/json",
		answer: `[{"id":"019ab3f0-6c1e-7d42-9b5a-2f4c8e7d1a90","name":"","createdAt":"2026-01-02T15:04:05Z",` +
			`"expiresAt":null,"lastUsedAt":null}]`,
	}
}

func write() exchange {
	return exchange{
		method: "POST",
		path:   "/boxes/default/entries",
		sent:   `{"key":"a/b","value":{"c":null}}`,
		status: 201,
		with:   http.Header{"Location": {"/boxes/default/entries/a%2Fb"}, "Etag": {`"1"`}},
	}
}

func sessions() exchange {
	return exchange{
		method: "DELETE",
		path:   "/api/v1/user/auth/revoke/anna",
		status: 200,
		kind:   "application/json",
		answer: `{"status":"ok"}`,
	}
}

// invite adds a user to a box.
func invite(sent string) exchange {
	return exchange{
		method: "POST",
		path:   "/boxes/default/users",
		sent:   sent,
		status: 201,
		with:   http.Header{"Location": {"/boxes/default/users/anna"}},
	}
}

// replace returns a function that replaces the first occurrence of a text in the response body.
func replace(old, replacement string) func(*exchange) {
	return func(e *exchange) { e.answer = strings.Replace(e.answer, old, replacement, 1) }
}

func TestValidExchanges(t *testing.T) {
	t.Parallel()
	for name, good := range map[string]exchange{
		"an error":         read(),
		"a list":           list(),
		"a write":          write(),
		"the accounts API": sessions(),
		"HEAD": {
			method: "HEAD",
			path:   "/api-keys",
			status: 200,
			kind:   "application/json",
		},
		"different letter case":  invite(`{"USERNAME":"anna","Role":"BoxAdmin"}`),
		"null for a missing one": invite(`{"username":"anna","role":null}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.NoError(t, good.check(t))
		})
	}
}

// TestDifferences checks that each kind of difference is found.
func TestDifferences(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		exchange exchange
		change   func(*exchange)
		want     string
	}{
		"status":                 {read(), func(e *exchange) { e.status = 402 }, "status is not supported"},
		"code of another route":  {read(), replace("permission_missing", "admin_only"), "code"},
		"code of another status": {read(), replace("permission_missing", "box_not_found"), "code"},
		"new field of an error":  {read(), replace(`"type"`, `"hint":"x","type"`), "hint"},
		"content type":           {read(), func(e *exchange) { e.kind = "application/json" }, "Content-Type"},
		"new field":              {list(), replace(`"name"`, `"secret":"x","name"`), "secret"},
		"missing field":          {list(), replace(`"name":"",`, ""), "name"},
		"other type":             {list(), func(e *exchange) { e.answer = `{}` }, "array"},
		"missing header":         {write(), func(e *exchange) { e.without = "Etag" }, `"ETag" missing`},
		"invalid header":         {write(), func(e *exchange) { e.with.Set("ETag", "1") }, "ETag"},
		"new header":             {write(), func(e *exchange) { e.with.Set("X-Secret", "1") }, "X-Secret"},
		"unexpected body": {write(), func(e *exchange) {
			e.kind, e.answer = "application/json", `{}`
		}, "it has a body"},
		"request without a required field": {write(), func(e *exchange) { e.sent = `{"value":1}` }, "key"},
		"request of another type":          {write(), func(e *exchange) { e.sent = `{"key":1,"value":1}` }, "key"},
		"request with an invalid name":     {write(), func(e *exchange) { e.path = "/boxes/-/entries" }, "box"},
		"missing WWW-Authenticate": {sessions(), func(e *exchange) {
			e.status, e.answer = 401, `{"error":"x","errorId":912}`
		}, "WWW-Authenticate"},
		"errorId of the accounts API": {sessions(), func(e *exchange) {
			e.status, e.answer, e.with = 401, `{"error":"x","errorId":912}`, http.Header{"Www-Authenticate": {"Bearer"}}
		}, "errorId"},
		"unknown path":       {list(), func(e *exchange) { e.path = "/nothing" }, "status is not supported"},
		"unsupported method": {list(), func(e *exchange) { e.method = "PATCH" }, "status is not supported"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.NoError(t, test.exchange.check(t))
			test.change(&test.exchange)
			require.ErrorContains(t, test.exchange.check(t), test.want)
		})
	}
}

// TestTransport checks that a mismatch fails the request, and that the caller can still read a valid response body.
func TestTransport(t *testing.T) {
	t.Parallel()
	code := "permission_missing"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.Header().Set("X-Request-Id", "1")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Vary", "Authorization")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, strings.Replace(forbidden, "permission_missing", code, 1))
	}))
	t.Cleanup(server.Close)
	send := func() (*http.Response, error) {
		url := server.URL + "/boxes/default/entries"
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(`{}`))
		require.NoError(t, err)
		return (&http.Client{Transport: &Transport{Base: http.DefaultTransport}}).Do(request)
	}
	response, err := send()
	require.NoError(t, err)
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, forbidden, string(text))

	code = "no_such_code"
	response, err = send()
	if err == nil {
		require.NoError(t, response.Body.Close())
	}
	var mismatch *Mismatch
	require.ErrorAs(t, err, &mismatch)
	require.ErrorContains(t, err, "no_such_code")
}

// TestInvalidDescriptions checks that Parse refuses invalid OpenAPI, and examples that do not match their schema.
func TestInvalidDescriptions(t *testing.T) {
	t.Parallel()
	const head = "openapi: 3.0.3\ninfo: {title: x, version: '1'}\npaths:\n"
	for name, text := range map[string]string{
		"no YAML":      "{",
		"no OpenAPI":   "openapi: 3.0.3\n",
		"no reference": head + "  /a: {get: {responses: {'200': {$ref: '#/components/responses/B'}}}}\n",
		"a bad example": head + "  /a: {get: {responses: {'200': {description: b, " +
			"content: {text/plain: {schema: {type: integer}, example: c}}}}}}\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse([]byte(text))
			require.Error(t, err)
		})
	}
	_, err := Parse([]byte(head + "  /a: {get: {responses: {'200': {description: b}}}}\n"))
	require.NoError(t, err)
}
