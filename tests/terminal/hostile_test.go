//go:build unix

package terminal

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestServerCannotControlTerminal checks that control characters in a response never reach the terminal, whether in
// prompts, notices or JSON. The operator of a hostile server chooses these texts.
func TestServerCannotControlTerminal(t *testing.T) {
	t.Parallel()
	// The name sets the window title twice: with C0 control characters, and with C1 control characters. JSON need not
	// escape the latter.
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
