//go:build unix

package terminal

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestServerCannotControlTerminal uses a hostile server, which sends control characters in texts. They must not reach
// the terminal in prompts, notices or JSON output.
func TestServerCannotControlTerminal(t *testing.T) {
	t.Parallel()
	// The name contains two sequences that set the window title, one with C0 and one with C1 control characters. In
	// JSON, C1 control characters may appear without an escape.
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/whoami" {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"username":"anna\u001b]0;evil\u0007` + "\u009d0;evil\u009c\u007f" +
			`","role":"user","token":{"kind":"api-key"}}`))
	}))
	t.Cleanup(server.Close)
	environ := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "TERM=xterm", "NO_COLOR=1",
		"LOCKBOX_API_URL=" + server.URL, "LOCKBOX_API_KEY=key"}

	asked := at(t, environ, "users", "passwd")
	asked.hidden("Current password", "old")
	asked.hidden("New password for ", "new")
	asked.hidden("Repeat", "new")
	asked.expect("Changed the password of ")
	asked.ends(0)
	own := strings.NewReplacer("\x1b[?2004h", "", "\x1b[?2004l", "") // bracketed paste
	assert.NotRegexp(t, "[\x1b\x07\x7f\u009c\u009d]", own.Replace(asked.String()))

	shown := at(t, environ, "whoami", "--output", "json")
	shown.expect("role")
	shown.ends(0)
	assert.NotRegexp(t, "[\x1b\x07\x7f\u009c\u009d]", shown.String())
}

// TestInvisibleCharactersDoNotReachTerminal uses a server that puts invisible characters into every text. Examples are
// a character that reverses the direction of text and a zero-width character. No kind of output may contain them.
func TestInvisibleCharactersDoNotReachTerminal(t *testing.T) {
	t.Parallel()
	const evil = "a\u202eb\u200bc\U000e0041d\u2066e\u3164f"
	const name = `"` + evil + `"`
	const event = `{"id":"1","at":"2026-01-01T00:00:00Z","action":` + name + `,"outcome":` + name + `,"actor":` + name +
		`,"address":` + name + `,"box":` + name + `,"key":` + name + `,"target":` + name +
		`,"changes":[{"property":` + name + `,"from":` + name + `,"to":` + name + `}]}`
	answers := map[string]string{
		"/whoami":                 `{"username":` + name + `,"role":` + name + `,"token":{"kind":"api-key"}}`,
		"/boxes":                  `[` + name + `]`,
		"/boxes/prod/entries/app": `{"value":{` + name + `:` + name + `},"version":1}`,
		"/boxes/prod":             `{"name":` + name + `,"owner":` + name + `,"entries":[` + name + `],"users":[]}`,
		"/audit":                  `{"events":[` + event + `],"next":null}`,
		"/api-keys":               `[{"id":"1","name":` + name + `,"createdAt":"2026-01-01T00:00:00Z"}]`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, known := answers[r.URL.Path]
		w.Header().Set("Content-Type", "application/json")
		if !known {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusBadRequest)
			text = `{"code":"invalid_request","detail":` + name + `,"status":400}`
		}
		_, _ = w.Write([]byte(text))
	}))
	t.Cleanup(server.Close)
	environ := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "TERM=xterm", "NO_COLOR=1",
		"LOCKBOX_API_URL=" + server.URL, "LOCKBOX_API_KEY=key", "LOCKBOX_ENCRYPTION_KEY=passphrase"}
	for _, args := range [][]string{
		{"whoami"}, {"whoami", "-o", "json"}, {"box", "list"}, {"box", "list", "-o", "json"}, {"box", "show", "prod"},
		{"audit"}, {"audit", "-o", "json"}, {"get", "prod/app"}, {"get", "prod/app", "--field", evil},
		{"get", "prod/app", "--field", evil, "--raw"}, {"get", "prod/app", "-o", "json"},
		{"export", "prod/app", "--format", "json"}, {"export", "prod/app", "--format", "yaml"},
		{"list", "prod/none"}, {"users", "list"}, {"api-keys", "list"}, {"history", "prod/none"},
		{"__complete", "get", ""},
	} {
		run := at(t, environ, args...)
		select {
		case <-run.ended: // with any exit code
		case <-time.After(patience):
			t.Fatalf("%v did not end:\n%s", args, run)
		}
		run.expect(`\S`) // the output can arrive after the end of the program
		for before := ""; before != run.String(); time.Sleep(50 * time.Millisecond) {
			before = run.String()
		}
		assert.NotRegexp(t, "[\u202e\u200b\u2066\u3164\U000e0041]", run.String(), args)
	}
}
