//go:build e2e && linux

package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/tests/attack"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

const (
	// containerMemory is the memory limit of the container in deploy/kubernetes, in bytes.
	containerMemory = 256 << 20
	attackDuration  = 6 * time.Second
	quietDuration   = 2 * time.Second
	// recovery is the time within which the memory use must return to the level before the attack.
	recovery = 25 * time.Second
	// noise is a response time. On a busy machine, a request may wait this long for a processor even without an attack.
	// If the 99th percentile without an attack is shorter than this, the test uses noise instead.
	noise = 60 * time.Millisecond
	// smallMemory is a number of bytes. A memory use below this number varies by more than 20 % even without an attack.
	// If the memory use before an attack is smaller, the test uses smallMemory instead.
	smallMemory = 16 << 20
)

// TestAttacks runs each attack on a server with the memory of the shipped container. During the attack, every request
// of a legitimate user must succeed, and must not take much longer than without the attack. The server must survive and
// release the memory afterwards.
func TestAttacks(t *testing.T) {
	// Later tests give these ports to droplets. The kernel must not choose them for the connections of the attacks.
	require.NoError(t, os.WriteFile("/proc/sys/net/ipv4/ip_local_reserved_ports", []byte("44301-44399"), 0o600))
	plain, secured := newVictim(t, false), newVictim(t, true)
	plain.addEvents(200_000)
	for _, v := range []*victim{plain, secured} {
		v.warmUp(t)
	}
	time.Sleep(6 * time.Second) // the servers return the memory of the warm-up
	hog, revoked := plain.hog.token, plain.revoke()
	for _, each := range []struct {
		name   string
		attack string
		victim *victim
		token  string
		key    string
		// For each kind of request, the test divides the 99th percentile of the response times during the attack by the
		// 99th percentile without the attack. The quotient must be less than the number in the field factor.
		factor int
	}{
		{"1: HTTP/2 streams with large headers", "streams", secured, "", "", 5},
		{"1: connections with large headers and stalled bodies", "headers", plain, "", "", 5},
		{"1: slow readers of a large value", "readers", plain, hog, "large", 5},
		{"2: sockets that hang up", "hangups", plain, hog, "large", 3},
		{"3: large bodies without a token", "bodies", plain, "", "", 5},
		{"3: large bodies with a revoked API key", "revoked", plain, revoked, "", 5},
		{"4: connections of one member on one box", "one-box", plain, hog, "", 3},
		{"4: made-up tokens", "tokens", plain, "", "small", 3},
		{"5: expensive audit queries", "audit", plain, hog, "", 5},
	} {
		t.Run(each.name, func(t *testing.T) {
			each.victim.endure(t, each.factor, attack.Attack{
				Name:          each.attack,
				Address:       each.victim.address,
				Token:         each.token,
				Box:           "hog",
				Key:           each.key,
				EncryptionKey: generatedKey,
				Duration:      attackDuration,
			})
		})
	}
}

// victim is a server under attack. The field user is a client of the legitimate user. The field hog is a client of the
// attacker.
type victim struct {
	*program
	group   *cgroup
	address string
	client  *http.Client
	root    client
	user    client
	hog     client
}

// newVictim starts a server in a control group of its own.
func newVictim(t *testing.T, secured bool) *victim {
	t.Helper()
	group := newCgroup(t, containerMemory)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	v := &victim{group: group, address: listener.Addr().String()}
	require.NoError(t, listener.Close())
	database := pgtest.New(t)
	settings := []string{"DATABASE_URL=" + database, "SECRET_KEY=" + testSecret, "HTTP_ADDR=" + v.address,
		"LOG_LEVEL=warn"}
	transport := &http.Transport{}
	v.client = &http.Client{Transport: transport, Timeout: 20 * time.Second}
	scheme := "http://"
	if secured {
		authority := newAuthority(t)
		certificate, key := authority.leaf()
		dir := t.TempDir()
		for name, text := range map[string]string{"cert": certificate, "key": key} {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
		}
		settings = append(settings, "TLS_CERT_FILE="+dir+"/cert", "TLS_KEY_FILE="+dir+"/key")
		pool := x509.NewCertPool()
		pool.AddCert(authority.certificate)
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
		scheme = "https://"
	}
	enter := exec.Command("sh", "-c", `echo $$ >"$1/cgroup.procs" && exec "$2" serve`, "sh", group.dir, binary(t))
	v.program = runProgram(t, enter, settings...)
	v.url, v.db = scheme+v.address, database
	v.prepare(t)
	return v
}

// send sends a request with the HTTP client of the victim. If fresh is set, send opens a new connection for the
// request.
func (v *victim) send(by client, method, path, body string, fresh bool) (status int, content string, err error) {
	request, err := http.NewRequestWithContext(context.Background(), method, v.url+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Encryption-Key", generatedKey)
	if by.token != "" {
		request.Header.Set("Authorization", "Bearer "+by.token)
	}
	if fresh {
		v.client.CloseIdleConnections()
	}
	response, err := v.client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if key := response.Header.Get("X-API-Key"); key != "" {
		return response.StatusCode, key, err
	}
	return response.StatusCode, string(text), err
}

// The must method is like send, but the test fails if the request does not succeed.
func (v *victim) must(t *testing.T, by client, method, path, body string) string {
	t.Helper()
	status, content, err := v.send(by, method, path, body, false)
	require.NoError(t, err)
	require.Less(t, status, 300, "%s %s: %s", method, path, content)
	return content
}

// prepare waits for the server and creates its users, boxes and entries.
func (v *victim) prepare(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		status, _, err := v.send(client{}, "GET", "/readyz", "", true)
		return err == nil && status == 200
	}, time.Minute, 50*time.Millisecond, "%s", v.log)
	key := v.must(t, client{}, "POST", "/init", `{"username":"root","password":"root-password"}`)
	v.root = v.as(strings.Split(key, `"`)[3])
	for _, each := range []struct {
		name string
		user *client
	}{{"user", &v.user}, {"hog", &v.hog}} {
		*each.user = v.as(v.must(t, v.root, "POST", "/users", `{"username":"`+each.name+`","password":"a-password"}`))
		v.must(t, *each.user, "POST", "/boxes/"+each.name, "")
		v.must(t, *each.user, "POST", "/boxes/"+each.name+"/entries", `{"key":"small","value":"v"}`)
	}
	v.must(t, v.hog, "POST", "/boxes/hog/entries", `{"key":"large","value":"`+strings.Repeat("x", 520_000)+`"}`)
}

// revoke returns a revoked API key of the hog.
func (v *victim) revoke() string {
	v.t.Helper()
	t := v.t.(*testing.T)
	key := strings.Split(v.must(t, v.hog, "POST", "/api-keys", "{}"), `"`)[3]
	v.must(t, v.hog, "DELETE", "/api-keys/"+key, "")
	return key
}

// addEvents adds audit events to the hog's box.
func (v *victim) addEvents(n int) {
	v.t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, v.db)
	require.NoError(v.t, err)
	defer func() { _ = conn.Close(ctx) }()
	const columns = `at, action, outcome, actor_id, actor_name, credential_id, box_id, box_name, entry_key, target, ` +
		`request_id, address`
	_, err = conn.Exec(ctx, `INSERT INTO events (id, `+columns+`) SELECT gen_random_uuid(), `+columns+`
		FROM (SELECT * FROM events WHERE box_name = 'hog' LIMIT 1) one, generate_series(1, $1)`, n)
	require.NoError(v.t, err)
}

// requests returns the requests that the legitimate user sends during an attack: a read, a write, and a transaction
// that replaces permissions in the user's box.
func (v *victim) requests() map[string]func(i int) (int, string, error) {
	value := `"` + strings.Repeat("x", 20<<10) + `"`
	return map[string]func(i int) (int, string, error){
		"read": func(i int) (int, string, error) {
			// Every tenth read needs a new connection.
			return v.send(v.user, "GET", "/boxes/user/entries/small", "", i%10 == 0)
		},
		"write of 20 KiB": func(int) (int, string, error) {
			return v.send(v.user, "POST", "/boxes/user/entries", `{"key":"medium","value":`+value+`}`, false)
		},
		"transaction": func(int) (int, string, error) {
			return v.send(v.user, "PUT", "/boxes/user/users/user/permissions",
				`["readEntryKeys","readEntry","createEntry","deleteEntry"]`, false)
		},
	}
}

// measure repeats each request of the legitimate user for the given duration. Every repetition must succeed. For each
// request, measure returns the 99th percentile of the response times.
func (v *victim) measure(t *testing.T, duration time.Duration) map[string]time.Duration {
	t.Helper()
	var mu sync.Mutex
	percentiles := make(map[string]time.Duration)
	var senders sync.WaitGroup
	for name, send := range v.requests() {
		senders.Go(func() {
			var times []time.Duration
			for i, end := 0, time.Now().Add(duration); time.Now().Before(end); i++ {
				begin := time.Now()
				status, content, err := send(i)
				times = append(times, time.Since(begin))
				if !assert.NoError(t, err, name) || !assert.Less(t, status, 300, "%s: %s", name, content) {
					break
				}
				time.Sleep(20 * time.Millisecond)
			}
			slices.Sort(times)
			mu.Lock()
			defer mu.Unlock()
			percentiles[name] = times[len(times)*99/100]
		})
	}
	senders.Wait()
	return percentiles
}

// warmUp sends concurrent requests. Without these requests, the server would use less memory before the first attack
// than after it.
func (v *victim) warmUp(t *testing.T) {
	t.Helper()
	var senders sync.WaitGroup
	for i := range 400 {
		senders.Go(func() {
			v.must(t, client{}, "GET", "/", "")
			if i%40 == 0 {
				v.must(t, v.hog, "GET", "/boxes/hog", "") // opens the connections of the database pool
				v.must(t, v.hog, "GET", "/boxes/hog/entries/large", "")
			}
		})
	}
	senders.Wait()
	v.measure(t, quietDuration)
}

// endure runs an attack. It verifies that the legitimate user's requests succeed within their time limits, and that the
// server survives and releases the memory.
func (v *victim) endure(t *testing.T, factor int, a attack.Attack) {
	t.Helper()
	quiet := v.measure(t, quietDuration)
	before, killed := v.group.used(), v.group.kills()
	wait, err := attack.Start(a)
	require.NoError(t, err)
	during := v.measure(t, a.Duration)
	peak := v.group.used()
	counts, err := wait()
	require.NoError(t, err, counts)
	after := v.measure(t, quietDuration)
	t.Logf("attack: %s", counts)
	for name, limit := range quiet {
		// Other programs may slow the machine down. The test therefore measures the percentile before and after the
		// attack, and uses the larger value.
		limit = max(limit, after[name])
		t.Logf("%s: p99 %v quiet, %v under attack", name, limit.Round(10*time.Microsecond),
			during[name].Round(10*time.Microsecond))
		assert.Less(t, during[name], time.Duration(factor)*max(limit, noise), name)
	}
	require.Equal(t, killed, v.group.kills(), "the kernel killed the server")
	select {
	case <-v.exited:
		require.Fail(t, "the server ended", "%s", v.log)
	default:
	}
	limit := max(before, smallMemory) * 12 / 10
	assert.Eventually(t, func() bool { return v.group.used() <= limit }, recovery, 200*time.Millisecond,
		"the memory does not return")
	t.Logf("memory: %s before, %s at the end of the attack, %s after", mebibytes(before), mebibytes(peak),
		mebibytes(v.group.used()))
}

func mebibytes(bytes int) string { return fmt.Sprintf("%d MiB", bytes>>20) }
