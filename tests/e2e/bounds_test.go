package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// unfinished opens a connection and sends the beginning of a request. The request stays unfinished until the test ends.
func (s *server) unfinished(t *testing.T, begin string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = io.WriteString(conn, begin)
	require.NoError(t, err)
	return conn
}

// writeHead returns the beginning of a request that writes an entry. It contains the whole header and the first byte of
// the body. The header states the given size of the body.
func writeHead(token, box string, size int) string {
	return fmt.Sprintf("POST /boxes/%s/entries HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"+
		"Authorization: Bearer %s\r\nX-Encryption-Key: %s\r\nContent-Length: %d\r\n\r\n{",
		box, token, generatedKey, size)
}

// response reads the response to a request that the unfinished method began.
func response(t *testing.T, conn net.Conn) *http.Response {
	t.Helper()
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(20*time.Second)))
	got, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	require.NoError(t, got.Body.Close())
	return got
}

// awaitUse waits until the metric lockbox_http_bound_used has the given value for a bound.
func (s *server) awaitUse(t *testing.T, bound, used string) {
	t.Helper()
	line := fmt.Sprintf("lockbox_http_bound_used{bound=%q} %s\n", bound, used)
	require.Eventually(t, func() bool {
		return strings.Contains(string(s.as("").do("GET", "/metrics", nil).Body), line)
	}, 20*time.Second, 10*time.Millisecond, line)
}

// members creates two users, and a box for each of them. The name of the box is the name of the user.
func members(t *testing.T, s *server) (first, second client) {
	t.Helper()
	root := s.initialize()
	users := make([]client, 2)
	for i, name := range []string{"first", "second"} {
		users[i] = root.user(name)
		users[i].box(name)
		users[i].put(name, "key", "1").expect(201)
	}
	return users[0], users[1]
}

// TestRequestsOfAUserAreBounded sends more concurrent requests of one user than the limit allows, with an API key and
// with a session. The requests above the limit wait and then get 429. Requests of other users must succeed.
func TestRequestsOfAUserAreBounded(t *testing.T) {
	t.Parallel()
	s := start(t, "MAX_REQUESTS_PER_USER=1")
	first, second := members(t, s)
	session := s.as(s.as("").do("POST", "/authenticate", `{"username":"first","password":"first-password"}`).
		expect(200).string("token"))
	s.unfinished(t, writeHead(first.token, "first", 100))
	s.awaitUse(t, "requests_per_user", "1")
	// The test sends these requests concurrently, because each of them waits before it gets 429. If they waited one
	// after the other, the server would abort the unfinished request in the meantime.
	var requests sync.WaitGroup
	for _, each := range []client{first, session} {
		for path, lockbox := range map[string]bool{"/boxes/first/entries/key": true, "/api/v1/droplet/list": false} {
			requests.Go(func() {
				got := each.do("GET", path, nil, "X-Encryption-Key", generatedKey)
				assert.Equal(t, 429, got.Status, "%s: %s", path, got.Body)
				assert.Equal(t, "1", got.Header.Get("Retry-After"))
				if lockbox {
					assert.Equal(t, "too_many_requests", got.code())
				}
			})
		}
	}
	second.get("second", "key").expect(200)
	requests.Wait()
}

// TestLargeBodiesOfAUserAreBounded sends an unfinished upload that uses most of a user's share of the memory for
// bodies. Another large upload of this user must get 429. An upload of another user must succeed.
func TestLargeBodiesOfAUserAreBounded(t *testing.T) {
	t.Parallel()
	s := start(t, "MEMORY_LIMIT=64m") // 8 MiB for bodies, 2 MiB for a user; a body counts three times
	first, second := members(t, s)
	large := `"` + strings.Repeat("x", 500_000) + `"`
	s.unfinished(t, writeHead(first.token, "first", 600_000))
	s.awaitUse(t, "user_body_bytes", "1.8e+06")
	first.put("first", "key", `"`+strings.Repeat("x", 10_000)+`"`).expect(201)
	got := first.put("first", "key", large).refuses(429, "too_many_requests")
	require.Equal(t, "1", got.Header.Get("Retry-After"))
	second.put("second", "key", large).expect(201)
}

// TestAnswersOfAUserAreBounded covers a user who does not read large responses. It verifies that this user gets 429 for
// another large response, and that other users are not affected.
func TestAnswersOfAUserAreBounded(t *testing.T) {
	t.Parallel()
	s := start(t, "MEMORY_LIMIT=64m") // 6.4 MiB for responses, 1.6 MiB for a user
	first, second := members(t, s)
	for _, each := range []client{first, second} {
		box := map[client]string{first: "first", second: "second"}[each]
		each.put(box, "large", `"`+strings.Repeat("x", 520_000)+`"`).expect(201)
	}
	for range 3 {
		conn := s.unfinished(t, "")
		require.NoError(t, conn.(*net.TCPConn).SetReadBuffer(4<<10))
		_, err := fmt.Fprintf(conn, "GET /boxes/first/entries/large HTTP/1.1\r\nHost: x\r\n"+
			"Authorization: Bearer %s\r\nX-Encryption-Key: %s\r\n\r\n", first.token, generatedKey)
		require.NoError(t, err)
	}
	s.awaitUse(t, "user_answer_bytes", "1.560006e+06")
	first.get("first", "large").refuses(429, "too_many_requests")
	first.get("first", "key").expect(200)
	second.get("second", "large").expect(200)
}

// TestLargeBodiesNeedACurrentToken verifies that the server checks the credential before it reads a large body. The
// server must refuse each kind of invalid credential.
func TestLargeBodiesNeedACurrentToken(t *testing.T) {
	t.Parallel()
	s := start(t)
	first, _ := members(t, s)
	key := first.do("POST", "/api-keys", nil).expect(200).string("apiKey")
	first.do("DELETE", "/api-keys/"+key, nil).expect(204)
	session := s.as("").do("POST", "/authenticate", `{"username":"first","password":"first-password"}`).expect(200).
		string("token")
	first.do("PUT", "/users/first", `{"password":"new-password","currentPassword":"first-password"}`).expect(204)
	for name, token := range map[string]string{
		"a revoked API key":     key,
		"an ended session":      session,
		"a made-up token":       strings.Repeat("ab", 32),
		"a token without sense": "x",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 3 { // from the second request on, the failures count for the address
				got := response(t, s.unfinished(t, writeHead(token, "first", 100_000)))
				require.Equal(t, 401, got.StatusCode)
				require.True(t, got.Close, "the server does not wait for the body")
			}
		})
	}
	head := "POST /api/v1/user/add HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
	got := response(t, s.unfinished(t, head+"Content-Length: 60000\r\n\r\n"+strings.Repeat(" ", 16<<10+1)))
	require.Equal(t, 413, got.StatusCode, "there is no token in the first 16 KiB")
	s.awaitUse(t, "body_bytes", "0")
}

// TestTokensInLargeBodies sends large bodies that contain a token. The accounts API searches only the first 16 KiB of a
// body for a token. If the header also contains a token, the two tokens must be equal.
func TestTokensInLargeBodies(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	first := root.user("first")
	padding := strings.Repeat(" ", 40_000)
	token := func(token string) string { return `{"access_token":"` + token + `"` }
	list := func(by, body string) *answer { return s.as(by).do("GET", "/api/v1/user/list", body) }
	list("", token(root.token)+padding+"}").expect(200)
	list("", `{"a":[1,{"access_token":"x"}],"Access_Token":"`+root.token+`"`+padding+"}").expect(200)
	list(root.token, token(root.token)+padding+"}").expect(200)
	list(root.token, `{"a":1`+padding+"}").expect(200)
	list("", padding+token(root.token)+"}").failsUnnumbered(413)
	list("", token(first.token)+padding+"}").expect(403)
	list("", token("x")+padding+"}").fails(401, 908, "Access token not found")
	list(root.token, token(first.token)+padding+"}").failsUnnumbered(400)
	list("", token(root.token)+padding+`,"access_token":"`+first.token+`"}`).failsUnnumbered(400)
	list("", token(root.token)+strings.Repeat(" ", 64<<10)+"}").expect(200) // the handler ignores its body
	s.as("").do("POST", "/api/v1/user/add", token(root.token)+strings.Repeat(" ", 64<<10)+"}").failsUnnumbered(413)
}
