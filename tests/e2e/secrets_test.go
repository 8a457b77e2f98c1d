package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/cmd/boot"
	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/serverkeys"
)

const (
	newSecret   = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8"
	wrongSecret = "QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8"
	// testGrace is the time for which a rekey waits, because a transaction may still use the old key. It can be shorter
	// than boot.RekeyGrace, because the transactions of the tests are short.
	testGrace = 700 * time.Millisecond
	// loadPause is the time between two requests of a client under load. Without this pause, the clients would keep the
	// processor busy.
	loadPause = 5 * time.Millisecond
)

// configOf returns the configuration of a server with the given database and settings.
func configOf(t testing.TB, database string, settings ...string) boot.Config {
	t.Helper()
	environ := []string{"LOCKBOX_DATABASE_URL=" + database, "LOCKBOX_SECRET_KEY=" + testSecret,
		"LOCKBOX_HTTP_ADDR=127.0.0.1:0",
		"LOCKBOX_KDF_MEMORY_KIB=64", "LOCKBOX_KDF_TIME=1"}
	for _, setting := range settings {
		environ = append(environ, "LOCKBOX_"+setting)
	}
	config, _, err := boot.ReadEnvironment(environ)
	require.NoError(t, err)
	return config
}

// serverKeys returns the service that the operator's commands for server keys use.
func serverKeys(t testing.TB, database string, settings ...string) *serverkeys.Service {
	t.Helper()
	keys, closeAll, err := boot.OpenServerKeys(context.Background(), configOf(t, database, settings...),
		slog.New(slog.DiscardHandler), testGrace)
	require.NoError(t, err)
	t.Cleanup(closeAll)
	return keys
}

// openTransaction opens a transaction on a separate connection. The transaction stays open until the caller calls end.
func openTransaction(t *testing.T, database string) (end func()) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), database)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), `BEGIN; SELECT 1`)
	require.NoError(t, err)
	return func() { require.NoError(t, conn.Close(context.WithoutCancel(t.Context()))) }
}

// TestARekeyWaitsOnlyForOpenTransactions runs two rekeys with a grace period of one hour. The first must not wait,
// because no transaction is open. The second must wait only until the open transaction ends.
func TestARekeyWaitsOnlyForOpenTransactions(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	root.do("POST", "/boxes/default", nil).expect(201)
	root.put("default", "entry", `1`).expect(201)
	keys, closeAll, err := boot.OpenServerKeys(t.Context(), configOf(t, s.db), slog.New(slog.DiscardHandler), time.Hour)
	require.NoError(t, err)
	defer closeAll()
	rekey := func() <-chan error {
		done := make(chan error, 1)
		go func() {
			_, err := keys.Rekey(t.Context(), domain.KeyForEntries, func(int) {})
			done <- err
		}()
		return done
	}
	require.NoError(t, <-rekey())
	end := openTransaction(t, s.db)
	done := rekey()
	select {
	case err := <-done:
		require.Fail(t, "the rekey did not wait for the open transaction", "%v", err)
	case <-time.After(300 * time.Millisecond):
	}
	end()
	require.NoError(t, <-done)
	root.get("default", "entry").expect(200)
}

// startFails runs a server that must fail to start, and returns the error.
func startFails(t testing.TB, database string, settings ...string) error {
	t.Helper()
	app, err := boot.New(configOf(t, database, settings...), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err = app.Run(ctx)
	require.Error(t, err)
	require.NoError(t, ctx.Err(), "it did not give up by itself")
	return err
}

// digest returns a hash of all rows of a table.
func digest(t testing.TB, database, table string) string {
	t.Helper()
	return text(t, database, `SELECT count(*) || ' ' || COALESCE(md5(string_agg(t::text, '|' ORDER BY t::text)), '') `+
		`FROM `+table+` t`)
}

func TestTheWrongSecretIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	root.do("POST", "/boxes/default", nil).expect(201)
	root.put("default", "entry", `"value"`).expect(201)
	s.stop()
	keys, entries := digest(t, s.db, "server_keys"), digest(t, s.db, "entry_versions")

	err := startFails(t, s.db, "SECRET_KEY="+wrongSecret)
	require.ErrorContains(t, err, "LOCKBOX_SECRET_KEY is not the secret of this database")
	require.NotContains(t, err.Error(), wrongSecret)
	require.ErrorContains(t, startFails(t, s.db, "SECRET_KEY="+wrongSecret, "SECRET_KEY_PREVIOUS="+newSecret),
		"neither LOCKBOX_SECRET_KEY nor LOCKBOX_SECRET_KEY_PREVIOUS")
	require.Equal(t, keys, digest(t, s.db, "server_keys"))
	require.Equal(t, entries, digest(t, s.db, "entry_versions"))

	again := startOn(t, s.db)
	require.Equal(t, `"value"`, string(again.as(root.token).get("default", "entry").expect(200).Body))
}

// TestRotate changes the secret while one replica knows both secrets and another replica knows only the old secret.
func TestRotate(t *testing.T) {
	t.Parallel()
	before := start(t)
	both := startOn(t, before.db, "SECRET_KEY="+newSecret, "SECRET_KEY_PREVIOUS="+testSecret)
	root := before.initialize()
	root.do("POST", "/boxes/default", nil).expect(201)
	root.put("default", "entry", `"old"`).expect(201)
	root.put("default", "secret", `"behind a passphrase"`, "X-Encryption-Key", "correct horse").expect(201)
	session := before.as(before.authenticate("root", "root-password").expect(200).string("token"))

	load := startLoad(t, root, root.at(both), session.at(both))
	count, err := serverKeys(t, before.db, "SECRET_KEY="+newSecret,
		"SECRET_KEY_PREVIOUS="+testSecret).Rotate(t.Context())
	require.NoError(t, err)
	require.Equal(t, len(domain.KeyPurposes()), count)
	load.stop()

	after := startOn(t, before.db, "SECRET_KEY="+newSecret)
	for _, who := range []client{root.at(after), session.at(after), root.at(both), root} {
		require.Equal(t, `"old"`, string(who.get("default", "entry").expect(200).Body))
		require.Equal(t, `"behind a passphrase"`,
			string(who.get("default", "secret", "X-Encryption-Key", "correct horse").expect(200).Body))
		who.put("default", "more", `1`).expect(201)
	}
	after.authenticate("root", "root-password").expect(200)
	load.check(root.at(after))
	require.ErrorContains(t, startFails(t, before.db), "LOCKBOX_SECRET_KEY is not the secret of this database")
}

func (s *server) authenticate(user, password string) *answer {
	s.t.Helper()
	return s.as("").do("POST", "/authenticate", `{"username":"`+user+`","password":"`+password+`"}`)
}

// load runs several clients that write and read entries. It stores the value of each confirmed write in the field
// written.
type load struct {
	t       *testing.T
	ending  chan struct{}
	group   sync.WaitGroup
	mu      sync.Mutex
	written map[string]string // by key
	done    atomic.Int64
}

// startLoad starts the clients, which use the box "default" until stop is called. If a request fails, the test fails.
func startLoad(t *testing.T, clients ...client) *load {
	t.Helper()
	l := &load{t: t, ending: make(chan struct{}), written: make(map[string]string)}
	for i, each := range clients {
		l.group.Go(func() { l.work(each, clients[(i+1)%len(clients)], fmt.Sprintf("load-%d", i)) })
	}
	t.Cleanup(l.stop)
	return l
}

func (l *load) work(writer, reader client, name string) {
	for n := 0; ; n++ {
		select {
		case <-l.ending:
			return
		case <-time.After(loadPause):
		}
		key, value := fmt.Sprintf("%s-%d", name, n%20), fmt.Sprintf(`{"n":%d,"by":"%s"}`, n, name)
		if !l.expect(writer.put("default", key, value), 201, "") || !l.expect(reader.get("default", key), 200, value) {
			return
		}
		l.mu.Lock()
		l.written[key] = value
		l.mu.Unlock()
		l.done.Add(1)
	}
}

func (l *load) expect(got *answer, status int, body string) bool {
	if got.Status != status || body != "" && string(got.Body) != body {
		l.t.Errorf("%s: %d %s, not %d %s", got.request, got.Status, got.Body, status, body)
		return false
	}
	return true
}

func (l *load) stop() {
	l.mu.Lock()
	select {
	case <-l.ending:
	default:
		close(l.ending)
	}
	l.mu.Unlock()
	l.group.Wait()
}

// check reads all confirmed values.
func (l *load) check(reader client) {
	l.t.Helper()
	require.NotEmpty(l.t, l.written)
	for key, value := range l.written {
		require.Equal(l.t, value, string(reader.get("default", key).expect(200).Body))
	}
}

// rekeyed requires that exactly one server key with the given purpose is stored. It returns the id of this key, which
// must have the given generation.
func rekeyed(t testing.TB, database string, purpose domain.KeyPurpose, generation int) string {
	t.Helper()
	require.Equal(t, 1, number(t, database, `SELECT count(*) FROM server_keys WHERE purpose = $1`, string(purpose)))
	return text(t, database, `SELECT id::text FROM server_keys WHERE purpose = $1 AND generation = $2 AND retired_at `+
		`IS NULL`,
		string(purpose), generation)
}

// TestRestoreAfterARekey restores an old version after a rekey. The replica has not loaded the new server key yet, and
// has only one database connection.
func TestRestoreAfterARekey(t *testing.T) {
	t.Parallel()
	s := start(t, "DB_MAX_CONNS=1")
	root := s.initialize()
	root.do("POST", "/boxes/default", nil).expect(201)
	root.put("default", "entry", `"first"`).expect(201)
	root.put("default", "entry", `"second"`).expect(201)
	_, err := serverKeys(t, s.db).Rekey(t.Context(), domain.KeyForEntries, func(int) {})
	require.NoError(t, err)
	begin := time.Now()
	root.do("POST", "/boxes/default/entries/entry/restore", `{"version":1}`).expect(201)
	require.Less(t, time.Since(begin), 3*time.Second)
	require.Equal(t, `"first"`, string(root.get("default", "entry").expect(200).Body))
}

// lastEvent returns the newest event of an action.
func (c client) lastEvent(action string) map[string]any {
	c.server.t.Helper()
	var record struct{ Events []map[string]any }
	require.NoError(c.server.t,
		json.Unmarshal(c.do("GET", "/audit?limit=1&action="+action, nil).expect(200).Body, &record))
	require.Len(c.server.t, record.Events, 1)
	return record.Events[0]
}

// expectTampered requires the error code tampered, without details of the stored row. The newest audit event of the
// action must have the outcome tampered.
func (c client) expectTampered(got *answer, action string) {
	c.server.t.Helper()
	got.expect(500)
	require.Equal(c.server.t, "tampered", got.code())
	require.NotContains(c.server.t, strings.ToLower(string(got.Body)), "value")
	require.Equal(c.server.t, "tampered", c.lastEvent(action)["outcome"])
}

// TestRekeyEndsAccountsTokens replaces the server key for sessions or for tokens. The tokens of the accounts API must
// then be invalid. They must stay invalid even if an attacker restores their rows in the database.
func TestRekeyEndsAccountsTokens(t *testing.T) {
	t.Parallel()
	for _, purpose := range []domain.KeyPurpose{domain.KeyForSessions, domain.KeyForTokens} {
		t.Run(string(purpose), func(t *testing.T) {
			t.Parallel()
			s := start(t)
			root := s.initialize()
			secret := root.member("coded", "viewer")
			pair := s.signInWithCode("coded", secret)
			s.as(pair.Access).do("GET", "/whoami", nil).expect(200)
			for _, table := range []string{"token_families", "token_pairs"} {
				run(t, s.db, `CREATE TABLE saved_`+table+` AS TABLE `+table)
			}
			_, err := serverKeys(t, s.db).Rekey(t.Context(), purpose, func(int) {})
			require.NoError(t, err)
			require.Zero(t, number(t, s.db, `SELECT count(*) FROM token_families`))
			restarted := startOn(t, s.db)
			run(t, s.db, `INSERT INTO token_families TABLE saved_token_families;
				INSERT INTO token_pairs TABLE saved_token_pairs;
				UPDATE token_families SET key_id = (SELECT id FROM server_keys WHERE purpose = 'session'),
					token_key_id = (SELECT id FROM server_keys WHERE purpose = 'token')`)
			restarted.as(pair.Access).do("GET", "/whoami", nil).expect(401)
			restarted.as("").do("POST", "/api/v1/user/auth/refresh", refreshBody(pair.Refresh)).fails(401, 910,
				"Refresh token not found")
			forgetSteps(t, restarted)
			fresh := restarted.signInWithCode("coded", secret)
			restarted.as(fresh.Access).do("GET", "/whoami", nil).expect(200)
		})
	}
}
