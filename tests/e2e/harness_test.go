// Package e2e runs the server with a real PostgreSQL database and sends HTTP requests to it.
//
// Tests that kill processes, need a Docker engine or run many rounds have the build tag e2e and run with make e2e.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/tests/description"
	"github.com/lockbox-go/lockbox/tests/live"
	"github.com/lockbox-go/lockbox/tests/pgtest"
	"github.com/lockbox-go/lockbox/tests/rounds"
)

// generatedKey and otherKey are encryption keys that need no key derivation.
var (
	generatedKey = domain.FormatGeneratedKey([32]byte{1, 2, 3})
	otherKey     = domain.FormatGeneratedKey([32]byte{9, 8, 7})
)

const testSecret = live.Secret

// server is one running Lockbox.
type server struct {
	t    testing.TB
	url  string
	db   string
	log  *live.Log
	stop func()
}

// start runs a Lockbox on its own database. Settings are NAME=value without the prefix LOCKBOX_.
func start(t testing.TB, settings ...string) *server {
	t.Helper()
	return startOn(t, pgtest.New(t), settings...)
}

// startOn runs a Lockbox on a database that several servers may share.
func startOn(t testing.TB, database string, settings ...string) *server {
	t.Helper()
	running := live.StartOn(t, database, settings...)
	return &server{
		t:    t,
		url:  running.URL,
		db:   database,
		log:  running.Log,
		stop: func() { assert.NoError(t, running.Stop()) },
	}
}

// The as method returns a client that sends the given token. If the token is "", the client sends no token.
func (s *server) as(token string) client { return client{server: s, token: token} }

// initialize creates the owner, named root, and returns a client with the owner's API key.
func (s *server) initialize() client {
	s.t.Helper()
	got := s.as("").do("POST", "/init", `{"username":"root","password":"root-password"}`).expect(200)
	return s.as(got.string("apiKey"))
}

// client calls a server with one token.
type client struct {
	server *server
	token  string
}

// httpClient checks every exchange against the API description.
var httpClient = &http.Client{Timeout: time.Minute,
	Transport: &description.Transport{Base: &http.Transport{MaxIdleConnsPerHost: 64}}}

// do sends a request. If body is a string, do sends it unchanged. If body is nil, the request has no body. Any other
// body is encoded as JSON. The headers argument lists names and values in turn. These headers replace default headers
// with the same name.
func (c client) do(method, path string, body any, headers ...string) *answer {
	c.server.t.Helper()
	var reader io.Reader
	switch body := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(body)
	default:
		text, err := json.Marshal(body)
		require.NoError(c.server.t, err)
		reader = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(context.Background(), method, c.server.url+path, reader)
	require.NoError(c.server.t, err)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := httpClient.Do(request)
	require.NoError(c.server.t, err)
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	require.NoError(c.server.t, err)
	return &answer{
		t:       c.server.t,
		request: method + " " + path,
		Status:  response.StatusCode,
		Header:  response.Header,
		Body:    content,
	}
}

// put writes an entry with generatedKey as its encryption key.
func (c client) put(box, key, value string, headers ...string) *answer {
	c.server.t.Helper()
	return c.do("POST", "/boxes/"+box+"/entries", `{"key":"`+key+`","value":`+value+`}`,
		append([]string{"X-Encryption-Key", generatedKey}, headers...)...)
}

// get reads an entry with generatedKey as the encryption key. The key argument must already be encoded for a path.
func (c client) get(box, key string, headers ...string) *answer {
	c.server.t.Helper()
	return c.do("GET", "/boxes/"+box+"/entries/"+key, nil,
		append([]string{"X-Encryption-Key", generatedKey}, headers...)...)
}

// user creates a user and returns a client with the user's API key. The caller must be an admin.
func (c client) user(name string) client {
	c.server.t.Helper()
	got := c.do("POST", "/users", `{"username":"`+name+`","password":"`+name+`-password"}`).expect(201)
	return c.server.as(got.Header.Get("X-API-Key"))
}

// admin creates a user with the role admin and returns a client with the user's API key.
func (c client) admin(name string) client {
	c.server.t.Helper()
	got := c.do("POST", "/users", `{"username":"`+name+`","password":"`+name+`-password","role":"admin"}`).expect(201)
	return c.server.as(got.Header.Get("X-API-Key"))
}

// answer is a response whose body has been read.
type answer struct {
	t       testing.TB
	request string
	Status  int
	Header  http.Header
	Body    []byte
}

// expect stops the test if the answer does not have the given status.
func (a *answer) expect(status int) *answer {
	a.t.Helper()
	require.Equal(a.t, status, a.Status, "%s: %s", a.request, a.Body)
	return a
}

// code returns the stable code of a problem.
func (a *answer) code() string { return a.string("code") }

// string returns a string field of a JSON object.
func (a *answer) string(field string) string {
	var object map[string]any
	if json.Unmarshal(a.Body, &object) != nil {
		return ""
	}
	text, _ := object[field].(string)
	return text
}

// repeats returns how often each test of a race repeats its concurrent requests. `make e2e` sets 200 rounds.
func repeats() int { return rounds.Configured(3) }
