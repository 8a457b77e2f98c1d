// Package terminal tests the lockbox program as a user runs it at a terminal or in a script, against a real server.
// Most tests are the scripts in testdata; tests that need a pseudo-terminal are in Go.
package terminal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/tests/live"
)

var binary string

// encryptionKey is generated for each run of the tests. If a test finds the key in an output, this run has leaked it.
var encryptionKey = client.GenerateEncryptionKey().Reveal()

func TestMain(m *testing.M) { os.Exit(build(m)) }

// build compiles the program once and runs the tests.
func build(m *testing.M) int {
	dir, err := os.MkdirTemp("", "lockbox-terminal-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	detach()
	// The scripts may run as another user, who must be able to enter the directory.
	_ = os.Chmod(dir, 0o755)
	binary = filepath.Join(dir, "lockbox")
	out, err := exec.Command("go", "build", "-buildvcs=false", "-ldflags", "-s -w", "-o", binary,
		"../../cmd/lockbox").CombinedOutput()
	if err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// TestScripts runs each script with its own server and home directory. The server has the owner root, whose password is
// root-password. LOCKBOX_API_URL and LOCKBOX_API_KEY belong to root, and LOCKBOX_ENCRYPTION_KEY is a generated key.
//
// The scripts can use the commands of testscript and the following commands:
//
//	code N COMMAND…        runs a command, which must end with this exit code
//	as USER                continues as this user and creates the user if necessary; "as anonymous" removes the
//	                       token
//	api METHOD PATH [JSON] sends a request as root, without the program
//	totp STEP ENROLLED TO  reads an enrolment as JSON from the file ENROLLED and writes a TOTP code to the file TO,
//	                       for the time step that is STEP steps from now
//	recovery ENROLLED TO   writes the first recovery code of the enrolment in the file ENROLLED to the file TO
//	many N                 reads the entry app/db of the box prod N times
//	fresh [SETTING…]       starts a new server without an owner, removes the token, and continues
//	machine NAME           continues with another home directory, and without an API key or an encryption key
func TestScripts(t *testing.T) {
	t.Parallel()
	runScripts(t, "testdata")
}

// runScripts runs the scripts in a folder.
func runScripts(t *testing.T, folder string) {
	t.Helper()
	testscript.Run(t, testscript.Params{
		Dir:                 folder,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               func(env *testscript.Env) error { return setUp(t, env) },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"code": code, "as": as, "api": api,
			"totp": totpCode, "recovery": recovery, "many": many, "machine": machine,
			"fresh": func(ts *testscript.TestScript, neg bool, args []string) { fresh(t, ts, neg, args) }},
	})
}

func setUp(t *testing.T, env *testscript.Env) error {
	server := live.Start(t)
	home := filepath.Join(env.WorkDir, "home")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return err
	}
	var created struct{ APIKey string }
	if _, err := send(server.URL, "", "POST", "/init", `{"username":"root","password":"root-password"}`,
		&created); err != nil {
		return err
	}
	for name, value := range map[string]string{
		"PATH": filepath.Dir(binary) + string(os.PathListSeparator) + os.Getenv("PATH"),
		"HOME": home, "XDG_CONFIG_HOME": filepath.Join(home, ".config"), "NO_COLOR": "1",
		"LOCKBOX_API_URL": server.URL, "LOCKBOX_API_KEY": created.APIKey, "ROOT": created.APIKey,
		"LOCKBOX_ENCRYPTION_KEY": encryptionKey,
	} {
		env.Setenv(name, value)
	}
	return nil
}

// code checks the exit code of a command.
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N COMMAND…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, not %d\n%s%s", got, want, ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

// The as command changes the API key in the environment.
func as(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: as USER")
	}
	variable := "KEY_OF_" + args[0]
	switch {
	case args[0] == "anonymous":
		ts.Setenv("LOCKBOX_API_KEY", "")
		return
	case args[0] == "root":
		variable = "ROOT"
	case ts.Getenv(variable) == "":
		header, err := send(ts.Getenv("LOCKBOX_API_URL"), ts.Getenv("ROOT"), "POST", "/users",
			fmt.Sprintf(`{"username":%q,"password":"%s-password"}`, args[0], args[0]), nil)
		ts.Check(err)
		ts.Setenv(variable, header.Get("X-API-Key"))
	}
	ts.Setenv("LOCKBOX_API_KEY", ts.Getenv(variable))
}

// fresh starts another server, without an owner.
func fresh(t *testing.T, ts *testscript.TestScript, neg bool, settings []string) {
	if neg {
		ts.Fatalf("usage: fresh [SETTING…]")
	}
	ts.Setenv("LOCKBOX_API_URL", live.Start(t, settings...).URL)
	ts.Setenv("LOCKBOX_API_KEY", "")
}

// machine changes the home directory, which is created if necessary.
func machine(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: machine NAME")
	}
	home := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(home, 0o700))
	ts.Setenv("HOME", home)
	ts.Setenv("XDG_CONFIG_HOME", filepath.Join(home, ".config"))
	ts.Setenv("LOCKBOX_API_KEY", "")
	ts.Setenv("LOCKBOX_ENCRYPTION_KEY", "")
}

// The api command sends a request as root.
func api(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: api METHOD PATH [JSON]")
	}
	body := ""
	if len(args) == 3 {
		body = args[2]
	}
	_, err := send(ts.Getenv("LOCKBOX_API_URL"), ts.Getenv("ROOT"), args[0], args[1], body, nil)
	ts.Check(err)
}

// send sends a request and returns an error unless the status is 2xx. If into is not nil, send decodes the response
// body into it.
func send(url, token, method, path, body string, into any) (http.Header, error) {
	request, err := http.NewRequest(method, url+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
		request.Header.Set("X-Encryption-Key", encryptionKey)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	var text bytes.Buffer
	if _, err := text.ReadFrom(response.Body); err != nil {
		return nil, err
	}
	if response.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s %s: %d %s", method, path, response.StatusCode, text.String())
	}
	if into != nil {
		return response.Header, json.Unmarshal(text.Bytes(), into)
	}
	return response.Header, nil
}
