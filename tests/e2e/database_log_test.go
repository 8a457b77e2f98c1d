//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/localpg"
)

// databaseLog collects the log of a PostgreSQL server. It is safe for concurrent use.
type databaseLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *databaseLog) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(text)
}

func (l *databaseLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// loggedDatabase starts a PostgreSQL server with the given parameters. It returns the URL of an empty database, and the
// log of the server.
func loggedDatabase(t *testing.T, parameters map[string]string) (string, *databaseLog) {
	t.Helper()
	log := &databaseLog{}
	database, err := localpg.Start(t.Context(), localpg.Config{Settings: parameters, Log: log})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, database.Stop()) })
	require.NoError(t, database.EnsureDatabase(t.Context(), "lockbox"))
	return database.URL("lockbox"), log
}

// TestDatabaseLogHoldsNoUserText sends a canary in every place where a user may type a secret by mistake. It sends
// several copies of each request at the same time, because conflicts between them cause errors in the database.
// PostgreSQL is configured to log all details of errors. Its log must not contain the canary.
func TestDatabaseLogHoldsNoUserText(t *testing.T) {
	t.Parallel()
	const canary = "cnryhunter2"
	address, log := loggedDatabase(t, map[string]string{
		"log_error_verbosity": "verbose",
		"log_min_messages":    "info",
		"deadlock_timeout":    "20ms",
		"log_lock_waits":      "on",
	})
	s := startOn(t, address)
	root := s.initialize()
	root.box("default")
	user := root.user("user1")
	root.share("default", "user1", "readEntry", "createEntry", "deleteEntry", "readEntryKeys")
	password := map[string]string{"username": canary, "password": canary}
	requests := []func(){
		func() { root.do("POST", "/users", password) },
		func() {
			root.do("POST", "/users", map[string]string{"username": strings.ToUpper(canary), "password": canary})
		},
		func() { root.do("POST", "/boxes/"+canary, nil) },
		func() { user.do("POST", "/boxes/"+canary, nil) },
		func() { root.do("POST", "/invitations", map[string]string{"username": canary + "-2"}) },
		func() { root.do("POST", "/invitations", map[string]string{"username": canary}) },
		func() { root.do("POST", "/boxes/default/users", map[string]string{"username": canary}) },
		func() { root.do("DELETE", "/boxes/default/users/"+canary, nil) },
		func() { s.as("").do("POST", "/authenticate", password) },
		func() {
			s.as("").do("POST", "/authenticate", map[string]string{"username": canary + "\x00", "password": canary})
		},
		func() {
			s.as("").do("POST", "/api/v1/user/auth", map[string]string{"username": canary, "code": "123456"})
		},
		func() {
			s.as("").do("POST", "/invitations/accept", map[string]string{"code": canary, "password": canary})
		},
		func() { s.as(canary).do("GET", "/whoami", nil) },
		func() { s.as(strings.Repeat("c", 53)+canary).do("GET", "/api/v1/user/list", nil) },
		func() { root.put("default", canary, `"`+canary+`"`) },
		func() { user.do("DELETE", "/boxes/default/entries/"+canary, nil) },
		func() { user.restore("default", canary, 1) },
		func() { root.do("GET", "/boxes/default/entries?prefix="+canary, nil) },
		func() { root.do("POST", "/api-keys", map[string]string{"name": canary}) },
		func() { root.do("DELETE", "/api-keys/"+canary, nil) },
		func() { root.do("PUT", "/users/"+canary, map[string]string{"role": canary}) },
		func() { root.do("PUT", "/boxes/"+canary, map[string]string{"owner": "user1"}) },
	}
	for _, text := range []string{canary, canary + "%00", canary + "%ff", "%ED%A0%80" + canary} {
		for _, name := range []string{"user", "action", "before", "limit"} {
			requests = append(requests, func() { root.do("GET", "/audit?"+name+"="+text, nil) })
		}
		requests = append(requests, func() { root.do("GET", "/users/"+text, nil) },
			func() { root.do("GET", "/boxes/default/entries/"+text, nil, "X-Encryption-Key", generatedKey) })
	}
	requests = append(requests, func() { root.do("DELETE", "/boxes/"+canary, nil) },
		func() { root.do("DELETE", "/users/"+canary, nil) })
	for range 3 {
		for _, send := range requests {
			var both sync.WaitGroup
			both.Go(send)
			both.Go(send)
			both.Wait()
		}
	}

	conn, err := pgx.Connect(t.Context(), address)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	_, err = conn.Exec(t.Context(), `INSERT INTO users SELECT * FROM users WHERE name = $1`, "root")
	require.Error(t, err)
	require.Eventually(t, func() bool { return strings.Contains(log.String(), "already exists.") },
		10*time.Second, 10*time.Millisecond,
		"PostgreSQL logs the detail of a unique violation")
	assert.NotContains(t, strings.ToLower(log.String()), canary)
	assert.NotContains(t, s.log.String(), "PostgreSQL logs the parameters")
}

// TestLoggedParametersAreReported verifies that a server logs a warning if PostgreSQL is configured to log the
// parameters of statements.
func TestLoggedParametersAreReported(t *testing.T) {
	t.Parallel()
	address, _ := loggedDatabase(t, nil)
	base, err := url.Parse(address)
	require.NoError(t, err)
	for options, want := range map[string]bool{
		"-c log_duration=on": false,
		"-c log_statement=all -c log_parameter_max_length=0":                    false,
		"-c log_min_duration_statement=1s":                                      true,
		"-c log_statement=mod":                                                  true,
		"-c log_min_duration_sample=5s -c log_parameter_max_length=20":          true,
		"-c log_parameter_max_length_on_error=-1":                               true,
		"-c log_parameter_max_length_on_error=64 -c log_parameter_max_length=0": true,
	} {
		query := base.Query()
		query.Set("options", options)
		with := *base
		with.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20")
		s := startOn(t, with.String())
		assert.Equal(t, want, strings.Contains(s.log.String(), "PostgreSQL logs the parameters"), options)
	}
}
