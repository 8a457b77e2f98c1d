package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/httpapi"
)

// concrete replaces the parameters of a path template with the names of objects that these tests create.
func concrete(template string) string {
	return strings.NewReplacer(":box", "default", ":username", "member", ":user", "member", ":key", "entry",
		":apiKey", "none", ":droplet", "none").Replace(template)
}

// inhabited starts a server and creates the objects that are named in the result of concrete.
func inhabited(t *testing.T) client {
	t.Helper()
	root := start(t).initialize()
	root.user("member")
	root.box("default")
	root.share("default", "member")
	root.put("default", "entry", `"a value"`).expect(201)
	return root
}

// TestHead verifies that HEAD returns the status and headers of GET without the body, on every GET route.
func TestHead(t *testing.T) {
	t.Parallel()
	root := inhabited(t)
	paths := httpapi.ServerPaths()
	for _, route := range httpapi.Routes() {
		if route.Method == http.MethodGet {
			paths = append(paths, concrete(route.Path))
		}
	}
	paths = append(paths, "/boxes/nothing", "/boxes/default/entries/nothing", "/api/v1/user/auth/setup/unknown",
		"/boxes/default/entries/entry?version=1", "/audit?limit=0")
	for _, path := range paths {
		get := root.do("GET", path, nil, "X-Encryption-Key", generatedKey)
		head := root.do("HEAD", path, nil, "X-Encryption-Key", generatedKey)
		require.Equal(t, get.Status, head.Status, path)
		require.Empty(t, head.Body, path)
		for _, name := range []string{"Content-Type", "Cache-Control", "Vary", "ETag", "Last-Modified",
			"X-Content-Type-Options", "Retry-After"} {
			require.Equal(t, get.Header.Values(name), head.Header.Values(name), "%s of %s", name, path)
		}
		// Some bodies, such as the metrics, differ between two requests. Their lengths cannot be compared.
		again := root.do("GET", path, nil, "X-Encryption-Key", generatedKey)
		if string(again.Body) == string(get.Body) {
			require.Equal(t, strconv.Itoa(len(get.Body)), head.Header.Get("Content-Length"), path)
		}
		require.Contains(t, root.do("OPTIONS", path, nil).Header.Get("Allow"), "HEAD", path)
	}
}

// TestHeadOfAnEntry verifies that HEAD of an entry requires the permission to read and is audited like a read.
func TestHeadOfAnEntry(t *testing.T) {
	t.Parallel()
	root := inhabited(t)
	reads := func() int {
		var page struct{ Events []struct{ Action string } }
		listed := root.do("GET", "/boxes/default/audit?action=entry.read", nil).expect(200)
		require.NoError(t, json.Unmarshal(listed.Body, &page))
		return len(page.Events)
	}
	before := reads()
	head := func(c client) *answer {
		return c.do("HEAD", "/boxes/default/entries/entry", nil, "X-Encryption-Key", generatedKey)
	}
	head(root).expect(200)
	require.Equal(t, before+1, reads())
	root.permit("default", "root", "readEntryKeys")
	head(root).expect(403)
	require.Equal(t, before+2, reads())
	head(root.server.as("")).expect(401)
}

// TestPathsAreExact appends a segment to the path of every route that ends with a parameter. A request for this path
// must get 404 with every method. An encoded slash does not begin a segment, because it is part of the parameter.
func TestPathsAreExact(t *testing.T) {
	t.Parallel()
	root := inhabited(t)
	checked := 0
	for _, route := range httpapi.Routes() {
		if !strings.Contains(route.Path[strings.LastIndexByte(route.Path, '/'):], ":") {
			continue
		}
		checked++
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
			for _, more := range []string{"/x", "/", "/x/y", "//", "/%2F"} {
				got := root.do(method, concrete(route.Path)+more, nil).expect(404)
				switch {
				case method == "HEAD":
				case route.AccountsAPI():
					require.Equal(t, `{"error":"Route not found","errorId":404}`, string(got.Body), got.request)
				default:
					got.refuses(404, "route_not_found")
				}
			}
		}
		encoded := root.do(route.Method, concrete(route.Path)+"%2Fx", nil)
		require.NotContains(t, string(encoded.Body), "oute not found", encoded.request)
		require.NotContains(t, string(encoded.Body), "route_not_found", encoded.request)
	}
	require.Greater(t, checked, 10)
	require.Contains(t, string(root.do("GET", "/metrics", nil).Body),
		`lockbox_http_requests_total{method="DELETE",route="(none)",status="404"}`)
}

// raw opens a connection and sends a request on it. The request may be incomplete. raw then closes the sending side and
// reads the response.
func (s *server) raw(t *testing.T, request string) *answer {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	_, err = io.WriteString(conn, request)
	require.NoError(t, err)
	require.NoError(t, conn.(*net.TCPConn).CloseWrite())
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err, request)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return &answer{
		t:       t,
		request: request,
		Status:  response.StatusCode,
		Header:  response.Header,
		Body:    body,
	}
}

// TestUnreadableBodies sends bodies that end early to every route that reads a body, in both APIs. The status must be
// 400. In the Lockbox API, the code must be body_unreadable. The server must not log an error or count a 5xx response.
func TestUnreadableBodies(t *testing.T) {
	t.Parallel()
	root := inhabited(t)
	s := root.server
	head := func(method, path, token string) string {
		return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Encryption-Key: %s\r\n%s",
			method, path, generatedKey, token)
	}
	withToken := "Authorization: Bearer " + root.token + "\r\n"
	cut := []string{"Content-Length: 100\r\n\r\n{\"a\":", "Content-Length: 16000\r\n\r\n", "Content-Length: 1\r\n\r\n",
		"Transfer-Encoding: chunked\r\n\r\n5\r\n{\"a\"", "Transfer-Encoding: chunked\r\n\r\nx\r\n"}
	for _, route := range bodyRoutes() {
		for _, rest := range cut {
			s.raw(t, head(route.method, route.path, withToken)+rest).refuses(400, "body_unreadable")
		}
	}
	for _, route := range httpapi.Routes() {
		if !route.AccountsAPI() {
			continue
		}
		for _, token := range []string{"", withToken} {
			if strings.HasPrefix(route.Path, "/api/v1/user/auth") && token == "" && route.Auth == httpapi.AuthToken {
				continue // the missing body may contain the token
			}
			for _, rest := range cut {
				got := s.raw(t, head(route.Method, concrete(route.Path), token)+rest)
				require.Equal(t, 400, got.Status, "%s: %s", got.request, got.Body)
				require.Contains(t, string(got.Body), `"errorId":0`, got.request)
				require.Contains(t, string(got.Body), "the request body ended early", got.request)
			}
		}
	}
	require.NotContains(t, s.log.String(), `"level":"ERROR"`)
	require.NotContains(t, s.log.String(), `"msg":"unavailable"`)
	require.NotRegexp(t, `lockbox_http_requests_total\{[^}]*status="5`, string(root.do("GET", "/metrics", nil).Body))
}

// TestIgnoredBodies verifies that a request has no effect if its body is cut short or stalls. The test covers every
// route that takes a token, including the routes that ignore bodies.
func TestIgnoredBodies(t *testing.T) {
	t.Parallel()
	root := inhabited(t)
	s := root.server
	before := string(root.do("GET", "/boxes/default/audit", nil).expect(200).Body)
	cut := []string{"Content-Length: 90\r\n\r\n{\"a\"", "Content-Length: 20000\r\n\r\n{\"a\"",
		"Content-Length: 9000000\r\n\r\n{\"a\"", "Content-Length: 1\r\n\r\n",
		"Transfer-Encoding: chunked\r\n\r\n5\r\n{\"a\"", "Transfer-Encoding: chunked\r\n\r\nx\r\n"}
	for _, route := range httpapi.Routes() {
		if route.Auth == httpapi.AuthNone {
			continue
		}
		head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"+
			"Content-Type: application/json\r\nX-Encryption-Key: %s\r\n",
			route.Method, concrete(route.Path), root.token, generatedKey)
		for _, rest := range cut {
			got := s.raw(t, head+rest)
			if strings.Contains(rest, "9000000") && got.Status == 413 {
				continue // the route reads bodies and refuses the size
			}
			require.Equal(t, 400, got.Status, "%s: %s", got.request, got.Body)
			require.Contains(t, string(got.Body), "the request body ended early", got.request)
		}
	}
	require.Equal(t, before, string(root.do("GET", "/boxes/default/audit", nil).expect(200).Body))
	// A complete body is ignored, whatever its size and form.
	for _, body := range []string{"{}", "not json", strings.Repeat(" ", 20000)} {
		root.do("DELETE", "/boxes/default/entries/entry", body).expect(204)
		root.put("default", "entry", `1`).expect(201)
		root.do("GET", "/whoami", body).expect(200)
	}
}

// TestClientsThatDisconnect sends requests that wait for a database lock. The clients then disconnect. Each request
// must be logged and counted with the status 499. If the client sends a TCP reset (RST), the server notices the
// disconnection immediately. If the client closes the connection normally (FIN), the server notices only when it cannot
// deliver the response. The server must not report that the database is unavailable.
func TestClientsThatDisconnect(t *testing.T) {
	t.Parallel()
	root := inhabited(t)
	s := root.server
	db, err := pgx.Connect(t.Context(), s.db)
	require.NoError(t, err)
	defer func() { _ = db.Close(t.Context()) }()
	held, err := db.Begin(t.Context())
	require.NoError(t, err)
	for _, lock := range []string{"SELECT FROM system FOR UPDATE", "SELECT FROM users FOR UPDATE",
		"SELECT FROM boxes FOR UPDATE", "SELECT FROM entries FOR UPDATE"} {
		_, err = held.Exec(t.Context(), lock)
		require.NoError(t, err)
	}
	requests := map[string]string{
		"PUT /boxes/default/users/member":     `{"role":"boxuser"}`,
		"DELETE /boxes/default/entries/entry": "",
		"DELETE /boxes/default":               "",
		"PUT /users/member":                   `{"role":"user"}`,
		"DELETE /api/v1/user/delete/member":   "",
	}
	closing := map[string]bool{"DELETE /boxes/default/entries/entry": true, "PUT /users/member": true}
	for request, body := range requests {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		require.NoError(t, err)
		_, err = fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"+
			"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", request, root.token, len(body), body)
		require.NoError(t, err)
		time.Sleep(200 * time.Millisecond) // until the request waits for the lock
		if !closing[request] {
			require.NoError(t, conn.(*net.TCPConn).SetLinger(0)) // close with a RST
		}
		require.NoError(t, conn.Close())
	}
	require.Eventually(t, func() bool {
		return strings.Count(s.log.String(), `"status":499`) == len(requests)-len(closing)
	}, 4*time.Second, 20*time.Millisecond, "%s", s.log)
	require.NoError(t, held.Rollback(t.Context()))
	require.Eventually(t, func() bool { return strings.Count(s.log.String(), `"status":499`) == len(requests) },
		10*time.Second, 20*time.Millisecond, "%s", s.log)
	require.NotContains(t, s.log.String(), `"level":"ERROR"`)
	require.NotContains(t, s.log.String(), `"msg":"unavailable"`)
	require.NotRegexp(t, `lockbox_http_requests_total\{[^}]*status="5`, string(root.do("GET", "/metrics", nil).Body))
}

// TestHalfClosedClients closes the sending side of a client whose request waits for a lock. It verifies that the client
// gets the response, and that the log has the status of the response.
func TestHalfClosedClients(t *testing.T) {
	t.Parallel()
	root := inhabited(t)
	s := root.server
	db, err := pgx.Connect(t.Context(), s.db)
	require.NoError(t, err)
	released := make(chan struct{})
	defer func() {
		<-released // pgx connections are not safe for concurrent use
		_ = db.Close(t.Context())
	}()
	held, err := db.Begin(t.Context())
	require.NoError(t, err)
	for _, lock := range []string{"SELECT FROM system FOR UPDATE", "SELECT FROM users FOR UPDATE",
		"SELECT FROM boxes FOR UPDATE", "SELECT FROM entries FOR UPDATE"} {
		_, err = held.Exec(t.Context(), lock)
		require.NoError(t, err)
	}
	time.AfterFunc(300*time.Millisecond, func() {
		defer close(released)
		_ = held.Rollback(t.Context())
	})
	var group sync.WaitGroup
	for _, test := range []struct {
		request, body string
		status        int
	}{
		{"PUT /boxes/default/users/member", `{"role":"boxuser"}`, 204},
		{"PUT /users/member", `{"role":"user"}`, 204},
		{"POST /boxes/default/entries", `{"key":"entry","value":1}`, 201},
		{"POST /api/v1/user/add", `{"username":"viewer","group":"viewer"}`, 200},
		{"GET /boxes/default/entries/entry", "", 200},
	} {
		group.Go(func() {
			got := s.raw(t, fmt.Sprintf("%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"+
				"X-Encryption-Key: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", test.request,
				root.token, generatedKey, len(test.body), test.body))
			if got.Status != test.status {
				t.Errorf("%s: %d %s", test.request, got.Status, got.Body)
			}
		})
	}
	group.Wait()
	require.NotContains(t, s.log.String(), `"status":499`)
}

// TestLoneSurrogates verifies that a lone surrogate is refused in every field except the value of an entry. The value
// must be stored with its original JSON text. If a password could contain a lone surrogate, two different passwords
// could decode to the same text.
func TestLoneSurrogates(t *testing.T) {
	t.Parallel()
	root := inhabited(t)
	for _, text := range []string{`\ud800`, `\udfff`, `\ud83d\u0041`, `\uDE00\uD83D`} {
		root.do("POST", "/users", `{"username":"user1","password":"password`+text+`"}`).refuses(400, "malformed_json")
		root.do("POST", "/users", `{"username":"user`+text+`","password":"password"}`).refuses(400, "malformed_json")
		root.server.as("").do("POST", "/authenticate", `{"username":"root","password":"`+text+`"}`).refuses(400,
			"malformed_json")
		root.do("POST", "/api-keys", `{"name":"`+text+`"}`).refuses(400, "malformed_json")
		root.do("POST", "/boxes/default/entries", `{"key":"`+text+`","value":1}`, "X-Encryption-Key",
			generatedKey).refuses(400, "malformed_json")
		got := root.server.as("").do("POST", "/api/v1/user/auth",
			`{"username":"`+text+`","code":"123456"}`).expect(400)
		require.Contains(t, string(got.Body), `"errorId":0`)

		value := `{"` + text + `":["` + text + `"]}`
		root.put("default", "verbatim", value).expect(201)
		root.get("default", "verbatim").expect(200).is(value)
		root.do("POST", "/boxes/default/entries", `{"key":"a","value":"`+text+`","x":"`+text+`"}`, "X-Encryption-Key",
			generatedKey).refuses(400, "malformed_json")
	}
	root.do("POST", "/users", `{"username":"user1","password":"\ud83d\ude00secret"}`).expect(201)
	root.server.as("").do("POST", "/authenticate", `{"username":"user1","password":"😀secret"}`).expect(200)
}

// TestReadUnlessUnchanged verifies that a read returns 304 without the value if If-None-Match contains the tag of the
// current version. The field target of the audit event is then "unmodified". The request requires the permission and
// the key, like any read.
func TestReadUnlessUnchanged(t *testing.T) {
	t.Parallel()
	root := inhabited(t)
	root.put("default", "entry", `"newer"`).expect(201)
	lastTarget := func() any {
		var page struct {
			Events []struct{ Action, Outcome, Target string }
		}
		require.NoError(t, json.Unmarshal(root.do("GET", "/boxes/default/audit?limit=1", nil).Body, &page))
		require.Equal(t, "entry.read", page.Events[0].Action)
		require.Equal(t, "success", page.Events[0].Outcome)
		return page.Events[0].Target
	}
	for _, test := range []struct {
		path, header, tags string
		status             int
	}{
		{"entry", "If-None-Match", `"2"`, 304},
		{"entry", "If-None-Match", `W/"2"`, 304},
		{"entry", "If-None-Match", `"1", ,"2"`, 304},
		{"entry", "If-None-Match", `*`, 304},
		{"entry?version=1", "If-None-Match", `"1"`, 304},
		{"entry", "If-None-Match", `"1"`, 200},
		{"entry", "If-None-Match", `"02"`, 200},
		{"entry?version=1", "If-None-Match", `"2"`, 200},
		{"entry", "If-Match", `"2"`, 200},
		{"entry", "If-Match", `"1"`, 412},
		{"entry", "If-Match", `W/"2"`, 412},
		{"entry", "If-Match", ``, 400},
		{"entry", "If-None-Match", ``, 400},
		{"entry", "If-None-Match", `2`, 400},
		{"nothing", "If-None-Match", `*`, 404},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			got := root.do(method, "/boxes/default/entries/"+test.path, nil, "X-Encryption-Key", generatedKey,
				test.header, test.tags)
			require.Equal(t, test.status, got.Status, "%s %+v: %s", method, test, got.Body)
			switch test.status {
			case 304:
				require.Empty(t, got.Body)
				require.NotEmpty(t, got.Header.Get("ETag"))
				require.Equal(t, "no-store", got.Header.Get("Cache-Control"))
				require.Equal(t, "unmodified", lastTarget())
			case 200:
				require.Empty(t, lastTarget())
			}
		}
	}
	root.do("GET", "/boxes/default/entries/entry", nil, "X-Encryption-Key", otherKey, "If-None-Match",
		`"2"`).refuses(403, "encryption_key_mismatch")
	root.permit("default", "root", "readEntryKeys")
	root.get("default", "entry", "If-None-Match", `"2"`).refuses(403, "permission_missing")
}

// TestDeletedMemberUpdatesTheBox deletes a user. The server must set updatedAt of the boxes in which the user was a
// member, and must not change updatedAt of other boxes.
func TestDeletedMemberUpdatesTheBox(t *testing.T) {
	t.Parallel()
	root := inhabited(t)
	root.box("other")
	db, err := pgx.Connect(t.Context(), root.server.db)
	require.NoError(t, err)
	defer func() { _ = db.Close(t.Context()) }()
	for _, table := range []string{"boxes", "entries"} {
		_, err = db.Exec(t.Context(), "UPDATE "+table+" SET updated_at = updated_at - interval '1 day'")
		require.NoError(t, err)
	}
	root.do("DELETE", "/users/member", nil).expect(204)
	for box, changed := range map[string]bool{"default": true, "other": false} {
		at, err := time.Parse(time.DateTime, root.do("GET", "/boxes/"+box, nil).expect(200).string("updatedAt"))
		require.NoError(t, err)
		require.Equal(t, changed, time.Since(at) < time.Hour, box)
	}
}
