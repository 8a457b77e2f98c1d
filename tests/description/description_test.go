package description

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const forbidden = `{"type":"about:blank","title":"Forbidden","status":403,"detail":"no","instance":"urn:lockbox:request:1",` +
	`"code":"permission_missing","errors":[{"message":"no"}]}`

// exchange is one that is described, to be spoilt.
type exchange struct {
	method, path, sent string
	status             int
	kind, answer       string
	// with and without are headers of the answer beside those that it needs.
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
		answer: `[{"id":"019ab3f0-6c1e-7d42-9b5a-2f4c8e7d1a90","name":"","createdAt":"2026-01-02T15:04:05Z","expiresAt":null,"lastUsedAt":null}]`,
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

func TestWhatIsDescribedPasses(t *testing.T) {
	t.Parallel()
	for name, good := range map[string]exchange{"a refusal": read(), "a list": list(), "a write": write(),
		"contract B": sessions(),
		"other letters": {
			method: "POST",
			path:   "/boxes/default/users",
			sent:   `{"USERNAME":"anna","Role":"BoxAdmin"}`,
			status: 201,
			with:   http.Header{"Location": {"/boxes/default/users/anna"}},
		},
		"nothing for null": {
			method: "POST",
			path:   "/boxes/default/users",
			sent:   `{"username":"anna","role":null}`,
			status: 201,
			with:   http.Header{"Location": {"/boxes/default/users/anna"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.NoError(t, good.check(t))
		})
	}
}

// TestItBites shows that what is not described does not pass.
func TestItBites(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		exchange exchange
		spoil    func(*exchange)
		says     string
	}{
		"a status": {read(), func(e *exchange) { e.status = 402 }, "status is not supported"},
		"a code of another one": {read(),
			func(e *exchange) { e.answer = strings.Replace(e.answer, "permission_missing", "admin_only", 1) }, "code"},
		"a code of other status": {read(),
			func(e *exchange) { e.answer = strings.Replace(e.answer, "permission_missing", "box_not_found", 1) },
			"code"},
		"a new field of errors": {read(),
			func(e *exchange) { e.answer = strings.Replace(e.answer, `"type"`, `"hint":"x","type"`, 1) }, "hint"},
		"a type of content": {read(), func(e *exchange) { e.kind = "application/json" }, "Content-Type"},
		"a new field": {list(),
			func(e *exchange) { e.answer = strings.Replace(e.answer, `"name"`, `"secret":"x","name"`, 1) },
			"secret"},
		"a missing field": {list(),
			func(e *exchange) { e.answer = strings.Replace(e.answer, `"name":"",`, "", 1) }, "name"},
		"another type":   {list(), func(e *exchange) { e.answer = `{}` }, "array"},
		"a header less":  {write(), func(e *exchange) { e.without = "Etag" }, `"ETag" missing`},
		"a header wrong": {write(), func(e *exchange) { e.with.Set("ETag", "1") }, "ETag"},
		"a header more":  {write(), func(e *exchange) { e.with.Set("X-Secret", "1") }, "X-Secret"},
		"a body for none": {write(),
			func(e *exchange) { e.kind, e.answer = "application/json", `{}` }, "it has a body"},
		"a request without what is required": {write(), func(e *exchange) { e.sent = `{"value":1}` }, "key"},
		"a request of another type":          {write(), func(e *exchange) { e.sent = `{"key":1,"value":1}` }, "key"},
		"a request with a bad name":          {write(), func(e *exchange) { e.path = "/boxes/-/entries" }, "box"},
		"a number of contract B": {sessions(),
			func(e *exchange) { e.status, e.answer = 401, `{"error":"x","errorId":912}` },
			"WWW-Authenticate"},
		"another number of contract B": {sessions(), func(e *exchange) {
			e.status, e.answer, e.with = 401, `{"error":"x","errorId":912}`, http.Header{"Www-Authenticate": {"Bearer"}}
		}, "errorId"},
		"a path that is none":   {list(), func(e *exchange) { e.path = "/nothing" }, "status is not supported"},
		"a method that is none": {list(), func(e *exchange) { e.method = "PATCH" }, "status is not supported"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.NoError(t, test.exchange.check(t))
			test.spoil(&test.exchange)
			require.ErrorContains(t, test.exchange.check(t), test.says)
		})
	}
}

// TestTransport fails the request that was answered otherwise, and hands on what it read.
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
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/boxes/default/entries",
			strings.NewReader(`{}`))
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

// TestNoDescription is no valid OpenAPI, or has an example that is not as described.
func TestNoDescription(t *testing.T) {
	t.Parallel()
	const head = "openapi: 3.0.3\ninfo: {title: x, version: '1'}\npaths:\n"
	for name, text := range map[string]string{
		"no YAML":      "{",
		"no OpenAPI":   "openapi: 3.0.3\n",
		"no reference": head + "  /a: {get: {responses: {'200': {$ref: '#/components/responses/B'}}}}\n",
		"a bad example": head +
			"  /a: {get: {responses: {'200': {description: b, content: {text/plain: {schema: {type: integer}, " +
			"example: c}}}}}}\n",
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
