package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/cmd/boot"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// webhook is a server that receives the audit stream. It answers every third request with an error.
type webhook struct {
	*httptest.Server
	mu       sync.Mutex // guards the following fields
	requests int
	lines    []string
}

func newWebhook(t *testing.T) *webhook {
	t.Helper()
	c := &webhook{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.requests++
		switch {
		case err != nil || r.Header.Get("Authorization") != "Bearer stream-token":
			w.WriteHeader(http.StatusUnauthorized)
		case c.requests%3 == 1:
			w.WriteHeader(http.StatusInternalServerError)
		default:
			c.lines = append(c.lines, strings.Split(strings.TrimSuffix(string(body), "\n"), "\n")...)
		}
	}))
	t.Cleanup(c.Close)
	return c
}

// received returns the lines that the webhook has received, without duplicates.
func (c *webhook) received() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return firstOnes(c.lines)
}

func firstOnes(lines []string) []string {
	seen := map[string]bool{}
	return slices.DeleteFunc(slices.Clone(lines), func(line string) bool {
		again := seen[line]
		seen[line] = true
		return again
	})
}

// auditLines returns the events of GET /audit as lines of JSON, oldest first.
func auditLines(t *testing.T, admin client) []string {
	t.Helper()
	var page struct{ Events []json.RawMessage }
	require.NoError(t, json.Unmarshal(admin.do("GET", "/audit?limit=1000", nil).expect(200).Body, &page))
	var lines []string
	for _, event := range page.Events {
		lines = append(lines, string(event))
	}
	slices.Reverse(lines)
	return lines
}

// exercise sends several requests in sequence. They cause events of several kinds.
func exercise(admin client, box string) {
	admin.do("POST", "/boxes/"+box, nil).expect(201)
	for range 3 {
		admin.put(box, "entry", `"value"`).expect(201)
		admin.get(box, "entry").expect(200)
	}
	admin.get(box, "entry", "X-Encryption-Key", otherKey).expect(403)
	admin.do("DELETE", "/boxes/"+box+"/entries/entry", nil).expect(204)
}

// TestAuditStream uses a webhook that answers every third request with an error. During the test, a second server
// replaces the first, and a third server replaces the second. The webhook must receive every event of the audit log, in
// order. Each event must be equal to the event that GET /audit returns.
func TestAuditStream(t *testing.T) {
	t.Parallel()
	database, receiver := pgtest.New(t), newWebhook(t)
	settings := []string{"AUDIT_STREAM=" + receiver.URL + "/?key=url-secret",
		"AUDIT_STREAM_HEADER=Authorization: Bearer stream-token"}
	first := startOn(t, database, settings...)
	root := first.initialize()
	exercise(root, "one")
	second := startOn(t, database, settings...)
	root.server = second
	exercise(root, "two")
	first.stop() // with or without the lease, and in the middle of a retry
	exercise(root, "three")
	second.stop()
	third := startOn(t, database, settings...)
	root.server = third
	exercise(root, "four")

	want := auditLines(t, root)
	require.Greater(t, len(want), 30)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.Subset(c, receiver.received(), want)
	}, 30*time.Second, 50*time.Millisecond)
	require.Equal(t, want, receiver.received())
	for _, server := range []*server{first, second, third} {
		require.NotContains(t, server.log.String(), "stream-token")
		require.NotContains(t, server.log.String(), "url-secret")
	}
	require.Contains(t, first.log.String(), "the webhook answered with status 500")
}

// TestAuditStreamToAFile renames the file of the stream while the server writes events. The renamed file and the new
// file must together contain every event.
func TestAuditStreamToAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	s := start(t, "AUDIT_STREAM=file:"+path)
	root := s.initialize()
	read := func(files ...string) (lines []string) {
		for _, file := range files {
			text, _ := os.ReadFile(file) // the file may not exist yet
			for line := range strings.Lines(string(text)) {
				lines = append(lines, strings.TrimSuffix(line, "\n"))
			}
		}
		return lines
	}
	require.Eventually(t, func() bool { return len(read(path)) > 0 }, 20*time.Second, 20*time.Millisecond)
	require.NoError(t, os.Rename(path, path+".1"))
	exercise(root, "one")
	want := auditLines(t, root)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.Equal(c, want, read(path+".1", path))
	}, 20*time.Second, 50*time.Millisecond)
}

// TestAuditStreamSettings verifies that the server does not start with wrong settings, and that the error contains no
// secret from the settings.
func TestAuditStreamSettings(t *testing.T) {
	t.Parallel()
	for want, all := range map[string][]string{
		"must be stdout, file:/path or the https URL of a webhook": {
			"AUDIT_STREAM=syslog",
			"AUDIT_STREAM=ftp://logs.example.org",
			"AUDIT_STREAM=https://",
		},
		"must name a file by its absolute path": {
			"AUDIT_STREAM=file:audit.jsonl",
			"AUDIT_STREAM=file:/var/log/",
		},
		"must be an https URL, because plain HTTP exposes the events": {
			"AUDIT_STREAM=http://logs.example.org/x",
			"AUDIT_STREAM=http://10.0.0.1/x",
		},
		"must be a URL without a user name": {
			"AUDIT_STREAM=https://u:canary@logs.example",
		},
		"is only for a webhook": {
			"AUDIT_STREAM=stdout AUDIT_STREAM_HEADER=A: canary",
			"AUDIT_STREAM_HEADER=A: canary",
		},
		"must be a header with its value": {
			"AUDIT_STREAM=https://logs.example AUDIT_STREAM_HEADER=canary",
			"AUDIT_STREAM=https://logs.example AUDIT_STREAM_HEADER=A: canary\r\nB: ",
			"AUDIT_STREAM=https://logs.example AUDIT_STREAM_HEADER=A B: canary",
		},
		"": {
			"AUDIT_STREAM=stdout",
			"AUDIT_STREAM=file:///var/log/lockbox/audit.jsonl",
			"AUDIT_STREAM=http://localhost:8080/x?y=z",
			"AUDIT_STREAM=http://[::1]:8080/",
			"AUDIT_STREAM=https://logs.example:8088/x AUDIT_STREAM_HEADER=DD-API-KEY:canary",
		},
	} {
		for _, settings := range all {
			requireStreamSettings(t, settings, want)
		}
	}
}

// requireStreamSettings checks the error that the given settings cause. Spaces separate the settings. If want is "",
// there must be no error.
func requireStreamSettings(t *testing.T, settings, want string) {
	t.Helper()
	environ := []string{"LOCKBOX_DATABASE_URL=postgres://localhost/x", "LOCKBOX_SECRET_KEY=" + testSecret}
	stream, header, _ := strings.Cut(settings, " AUDIT_STREAM_HEADER=")
	if header != "" {
		environ = append(environ, "LOCKBOX_AUDIT_STREAM_HEADER="+header)
	}
	config, _, err := boot.ReadEnvironment(append(environ, "LOCKBOX_"+stream))
	err = boot.AllMistakes(err, config.Validate(), nil)
	if want == "" {
		assert.NoError(t, err, settings)
		return
	}
	if assert.ErrorContains(t, err, want, settings) {
		assert.NotContains(t, err.Error(), "canary")
	}
}
