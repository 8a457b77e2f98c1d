//go:build unix && e2e

package terminal

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// shellAfter runs lockbox in a shell on a terminal. After lockbox ends, a shell would run the remaining input as
// commands. The test therefore fails if lockbox leaves any input.
func shellAfter(t *testing.T, environ []string, args ...string) *screen {
	t.Helper()
	left := filepath.Join(t.TempDir(), "left")
	s := start(t, append(environ, "LEFT="+left), "/bin/sh", append([]string{"-c",
		`"$0" "$@"; code=$?; stty -icanon min 0 time 5 2> "$LEFT.errors"; cat > "$LEFT"; stty icanon; exit $code`,
		binary}, args...)...)
	t.Cleanup(func() {
		text, err := os.ReadFile(left)
		require.NoError(t, err)
		require.Empty(t, text, "the shell would run this")
	})
	return s
}

// paste types the whole text at once, without the marks of bracketed paste.
func (s *screen) paste(text string) {
	s.t.Helper()
	_, err := s.keyboard.WriteString(text)
	require.NoError(s.t, err)
}

// TestPasteAtPrompts pastes several lines at every kind of prompt. The prompt must refuse the paste and must leave no
// input for the shell.
func TestPasteAtPrompts(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.api("POST", "/boxes/prod", "", nil)
	signedIn := h.environ("LOCKBOX_API_URL="+h.server.URL, "LOCKBOX_API_KEY="+h.root)
	withKey := append(signedIn, "LOCKBOX_ENCRYPTION_KEY="+encryptionKey)
	for _, test := range []struct {
		question string
		environ  []string
		args     []string
	}{
		{"Value: ", withKey, []string{"set", "prod/pem"}},
		{"Encryption key: ", signedIn, []string{"set", "prod/pem", "value"}},
		{"Password: ", h.environ(), []string{"login", h.server.URL, "-u", "root"}},
		{"Username: ", h.environ(), []string{"login", h.server.URL}},
		{"Password for anna: ", signedIn, []string{"users", "create", "anna"}},
		{"TOTP code: ", signedIn, []string{"users", "totp", "confirm"}},
		{`\[y/N\] `, signedIn, []string{"box", "delete", "prod"}},
	} {
		t.Run(test.question, func(t *testing.T) {
			t.Parallel()
			s := shellAfter(t, test.environ, test.args...)
			s.expect(test.question)
			s.paste("y\ntouch owned\necho half")
			s.expect("lockbox:.* several lines")
			require.NotContains(t, s.String(), "touch owned\r\ntouch owned")
			select {
			case err := <-s.ended:
				require.Error(t, err)
			case <-t.Context().Done():
			}
		})
	}
}

// TestPasteOfValue pastes several lines with the marks of bracketed paste. It checks that the prompt for a value stores
// all lines, and that other prompts refuse the paste.
func TestPasteOfValue(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.api("POST", "/boxes/prod", "", nil)
	environ := h.environ("LOCKBOX_API_URL="+h.server.URL, "LOCKBOX_API_KEY="+h.root,
		"LOCKBOX_ENCRYPTION_KEY="+encryptionKey)
	long := strings.Repeat("0123456789", 2000) // exceeds the longest line that a terminal can edit
	for pasted, want := range map[string]string{
		"-----BEGIN KEY-----\rAAAA\r-----END KEY-----\r": "-----BEGIN KEY-----\nAAAA\n-----END KEY-----\n",
		"one line\r": "one line\n", // get --raw adds the line end
		"a\r\nb":     "a\nb\n",
		long:         long + "\n",
	} {
		s := shellAfter(t, environ, "set", "prod/pasted")
		s.expect(`\x1b\[\?2004hValue: `)
		s.paste("\x1b[200~" + pasted + "\x1b[201~")
		s.paste("\r")
		s.expect(`\x1b\[\?2004l`)
		s.expect("Stored prod/pasted")
		s.ends(0)
		require.Equal(t, strings.Count(want, "\n") > 1, strings.Contains(s.String(), "lines of the pasted text"))
		got := start(t, environ, binary, "get", "prod/pasted", "--raw")
		got.expect(`(?s)` + strings.ReplaceAll(strings.TrimSuffix(want, "\n"), "\n", "\r\n"))
		got.ends(0)
	}
	s := shellAfter(t, h.environ(), "login", h.server.URL, "-u", "root")
	s.expect("Password: ")
	s.paste("\x1b[200~root-password\rtouch owned\x1b[201~\r")
	s.expect("several lines")
	s.ends(1)
}

// TestSlowPaste pastes two lines, but the second line arrives later, as it may on a slow connection. The prompt must
// still refuse the paste.
func TestSlowPaste(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.api("POST", "/boxes/prod", "", nil)
	signedIn := h.environ("LOCKBOX_API_URL="+h.server.URL, "LOCKBOX_API_KEY="+h.root)
	withKey := append(signedIn, "LOCKBOX_ENCRYPTION_KEY="+encryptionKey)
	for _, test := range []struct {
		question string
		environ  []string
		args     []string
	}{
		{"Value: ", withKey, []string{"set", "prod/pem"}},
		{"Password: ", h.environ(), []string{"login", h.server.URL, "-u", "root"}},
		{`\[y/N\] `, signedIn, []string{"box", "delete", "prod"}},
	} {
		for _, delay := range []time.Duration{0, 60, 150, 300} {
			delay *= time.Millisecond
			t.Run(test.question+delay.String(), func(t *testing.T) {
				t.Parallel()
				s := shellAfter(t, test.environ, test.args...)
				s.expect(test.question)
				s.paste("y\n")
				time.Sleep(delay)
				s.paste("touch owned\n")
				s.expect("lockbox:.* several lines")
				select {
				case err := <-s.ended:
					require.Error(t, err)
				case <-t.Context().Done():
				}
			})
		}
	}
}

// TestFieldsOverObject covers text of the form NAME=VALUE as a new value for an entry that contains an object. The user
// probably wants to change only one field. lockbox set must therefore ask before it replaces the whole object.
func TestFieldsOverObject(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.api("POST", "/boxes/prod", "", nil)
	environ := h.environ("LOCKBOX_API_URL="+h.server.URL, "LOCKBOX_API_KEY="+h.root,
		"LOCKBOX_ENCRYPTION_KEY="+encryptionKey)
	write := func() {
		h.api("POST", "/boxes/prod/entries", `{"key":"app","value":{"db":{"password":"old"}}}`, nil)
	}
	write()
	s := at(t, environ, "set", "prod/app", "db.password=new")
	s.expect(`prod/app holds an object with 1 names\. Replace the value with this text\? \[y/N\] `)
	s.enter("n")
	s.expect(`nothing was changed.*lockbox set prod/app --field NAME VALUE`)
	s.ends(1)
	s = at(t, environ, "get", "prod/app", "--field", "db.password")
	s.expect("old")
	s.ends(0)
	s = at(t, environ, "set", "prod/app", "db.password=new")
	s.expect(`\[y/N\] `)
	s.enter("y")
	s.expect("Stored prod/app, version 2")
	s.ends(0)
}

// TestAssignmentOverField covers text of the form NAME=VALUE as a new value for a field that contains an object or an
// array. lockbox set --field must ask before it replaces the object or the array.
func TestAssignmentOverField(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.api("POST", "/boxes/prod", "", nil)
	environ := h.environ("LOCKBOX_API_URL="+h.server.URL, "LOCKBOX_API_KEY="+h.root,
		"LOCKBOX_ENCRYPTION_KEY="+encryptionKey)
	h.api("POST", "/boxes/prod/entries", `{"key":"app","value":{"db":{"password":"old"},"l":[{"p":1}]}}`, nil)
	s := at(t, environ, "set", "prod/app", "--field", "db", "password=new")
	s.expect(`the field "db" of prod/app holds an object with 1 names\. Replace the value with this text\? \[y/N\] `)
	s.enter("n")
	s.expect(`nothing was changed.*--field db\.password VALUE`)
	s.ends(1)
	for _, field := range []string{"db", "l"} {
		s = at(t, environ, "set", "prod/app", "--field", field, "l.0.p=y")
		s.expect(`\[y/N\] `)
		s.enter("y")
		s.expect("Stored prod/app")
		s.ends(0)
	}
}

// TestFieldsOverObjectInScripts runs lockbox set without a terminal. The entry contains an object. lockbox set must
// refuse a new value that is an assignment to a field of the object, in any of many notations. Other texts must be
// stored.
func TestFieldsOverObjectInScripts(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.api("POST", "/boxes/prod", "", nil)
	h.api("POST", "/boxes/prod/entries", `{"key":"app","value":{"db":{"password":"old","hosts":["a"]}}}`, nil)
	environ := h.environ("LOCKBOX_API_URL="+h.server.URL, "LOCKBOX_API_KEY="+h.root,
		"LOCKBOX_ENCRYPTION_KEY="+encryptionKey)
	run := func(args ...string) (int, string) {
		command := exec.CommandContext(t.Context(), "setsid", append([]string{"--wait", binary}, args...)...)
		command.Env = environ
		out, _ := command.CombinedOutput()
		return command.ProcessState.ExitCode(), string(out)
	}
	for _, text := range []string{"db.password=new", "db:password=new", ".db.password=new", "db/password=x", "db[0]=x",
		"db.hosts[0]=x", "db.password: new", "db: {}", "DB_PASSWORD: new", "$['db']['password']=new"} {
		code, out := run("set", "prod/app", text)
		require.Equal(t, 2, code, "%s: %s", text, out)
		require.Contains(t, out, "lockbox set prod/app --field NAME VALUE", text)
	}
	code, out := run("get", "prod/app", "--field", "db.password", "--raw")
	require.Equal(t, "old", out)
	require.Zero(t, code)
	for _, text := range []string{"https://db.example.org/x=y", "plain text", "at 12:30"} {
		code, out = run("set", "prod/app", text)
		require.Zero(t, code, "%s: %s", text, out)
		h.api("POST", "/boxes/prod/entries", `{"key":"app","value":{"db":{"password":"old"}}}`, nil)
	}
	code, out = run("set", "prod/app", "db: x", "--string")
	require.Zero(t, code, out)
}
