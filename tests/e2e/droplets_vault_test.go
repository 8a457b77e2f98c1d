//go:build e2e && linux

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/lockbox-go/lockbox/tests/engine"
)

const (
	canaryEnv  = "cnryEnvValueMk5Tz7"
	canaryJSON = "cnryEnvJsonQw3Pl8"
)

var sealed = []string{"X-Encryption-Key", generatedKey}

// testDropletCredentials adds a droplet with a box. The request passes entries of the box to the droplet as environment
// variables. The private key must be stored in the box. The key and the values of the entries must not appear in logs,
// metrics, labels or database tables.
func testDropletCredentials(t *testing.T, y *yard) {
	y.root.box("servers")
	y.root.share("servers", "manager", "createEntry", "readEntry")
	y.root.put("servers", "db/password", `"`+canaryEnv+` = ü"`).expect(201)
	y.root.put("servers", "settings", "{ \"b\": 1.50,\n \"a\": [\""+canaryJSON+"\"] }").expect(201)
	list := y.manager.droplets("POST", "/add",
		`{"box":"servers","image":"`+engine.Image+
			`","env":{"DB_PASSWORD":"db/password","SETTINGS":"settings","_2":"DB/password"}}`, sealed...)
	require.Equal(t, []string{"droplet01"}, namesOf(list))
	require.Empty(t, list[0].PrivateKey)
	inside := y.inside(1)
	require.Subset(t, inside.Environ,
		[]string{"DB_PASSWORD=" + canaryEnv + " = ü", `SETTINGS={"b":1.50,"a":["` + canaryJSON + `"]}`,
			"_2=" + canaryEnv + " = ü"})

	var key string
	require.NoError(t, json.Unmarshal(y.manager.get("servers", "droplets%2Fdroplet01%2Fssh").expect(200).Body, &key))
	signer, err := ssh.ParsePrivateKey([]byte(key))
	require.NoError(t, err)
	public, _, _, _, err := ssh.ParseAuthorizedKey([]byte(inside.AuthorizedKeys))
	require.NoError(t, err)
	require.Equal(t, signer.PublicKey().Marshal(), public.Marshal())
	require.Equal(t, 1, number(t, y.db,
		`SELECT count(*) FROM events WHERE action = 'entry.write' AND actor_name = 'manager' AND entry_key = `+
			`'droplets/droplet01/ssh'`))
	require.Equal(t, 2, number(t, y.db,
		`SELECT count(*) FROM events WHERE action = 'entry.read' AND actor_name = 'manager' AND box_name = 'servers'
		AND entry_key = 'db/password'`), "once for each spelling of the key")

	// These adds fail. The error of the Docker engine must not contain the environment variables.
	for _, image := range []string{engine.BrokenImage, "missing:1"} {
		y.manager.do("POST", "/api/v1/droplet/add",
			`{"box":"servers","image":"`+image+`","env":{"DB_PASSWORD":"db/password"}}`, sealed...).expect(400)
	}
	shown := y.manager.droplets("POST", "/add", nil)[0].PrivateKey
	f := &flock{t: t, server: y.server, secrets: map[string]string{"value": canaryEnv, "JSON value": canaryJSON}}
	for i, each := range []string{key, shown} {
		lines := strings.Split(strings.TrimSpace(each), "\n")
		f.secrets["private key "+string(rune('a'+i))] = lines[len(lines)/2+1]
	}
	f.search("the log", y.log.String())
	f.search("the tables", tables(t, y.db))
	f.search("the dump", dump(t, y.db))
	f.search("the metrics", string(y.as("").do("GET", "/metrics", nil).expect(200).Body))
	f.search("the record", string(y.root.do("GET", "/audit?limit=1000", nil).expect(200).Body))
	labels := y.engine.Docker("inspect", "-f", "{{json .Config.Labels}}", "droplet01")
	f.search("the labels", labels)
}

// testEntryIsDeletedWithDroplet deletes droplets. With each droplet, the server must also delete the droplet's entry if
// the entry is unchanged. It must not delete an entry that was changed or that belongs to another droplet.
func testEntryIsDeletedWithDroplet(t *testing.T, y *yard) {
	y.root.box("homes")
	y.root.share("homes", "manager", "createEntry")
	keys := func() string { return string(y.root.do("GET", "/boxes/homes/entries", nil).expect(200).Body) }
	y.manager.droplets("POST", "/add", `{"box":"Homes"}`, sealed...)
	require.Equal(t, `["droplets/droplet01/ssh"]`, keys())
	y.manager.droplets("DELETE", "/delete/droplet01", nil) // without deleteEntry: the service deletes it
	require.Equal(t, `[]`, keys())
	require.Equal(t, 1, number(t, y.db,
		`SELECT count(*) FROM events WHERE action = 'entry.delete' AND actor_name = '(service)' AND box_name = 'homes'
		AND entry_key = 'droplets/droplet01/ssh'`))
	require.Equal(t, 0, number(t, y.db, `SELECT count(*) FROM droplets`))

	y.manager.droplets("POST", "/add", `{"box":"homes"}`, sealed...)
	y.root.put("homes", "droplets/droplet01/ssh", `"mine now"`).expect(201)
	y.manager.droplets("DELETE", "/delete/droplet01", nil)
	require.Equal(t, `["droplets/droplet01/ssh"]`, keys(), "changed since")
	y.manager.droplets("POST", "/add", `{"box":"homes"}`, sealed...) // a new version of the entry
	y.root.do("DELETE", "/boxes/homes/entries/droplets%2Fdroplet01%2Fssh", nil).expect(204)
	y.manager.droplets("DELETE", "/delete/droplet01", nil)
	y.manager.droplets("POST", "/add", `{"box":"homes"}`, sealed...)
	y.root.do("DELETE", "/boxes/homes", nil).expect(204)
	require.Empty(t, y.manager.droplets("DELETE", "/delete/droplet01", nil), "the box is gone")

	// The server does not trust labels. droplet09 has the label of droplet01. Deleting droplet09 must not delete the
	// entry of droplet01.
	y.root.box("homes")
	y.root.share("homes", "manager", "createEntry")
	y.manager.droplets("POST", "/add", `{"box":"homes"}`, sealed...)
	format := `{{index .Config.Labels "lockbox.installation"}} {{index .Config.Labels "lockbox.made"}}`
	installation, made, _ := strings.Cut(y.engine.Docker("inspect", "-f", format, "droplet01"), " ")
	y.engine.Docker("run", "-d", "--name", "droplet09", "--label", "lockbox.installation="+installation, "--label",
		"lockbox.made="+made, engine.Image)
	require.Equal(t, []string{"droplet01"}, namesOf(y.manager.droplets("DELETE", "/delete/droplet09", nil)))
	require.Equal(t, `["droplets/droplet01/ssh"]`, keys())
	y.root.do("DELETE", "/boxes/homes", nil).expect(204)
}

// testFailedAdd verifies that a failed add leaves no container and no entry.
func testFailedAdd(t *testing.T, y *yard) {
	y.root.box("halves")
	y.root.share("halves", "manager", "createEntry")
	nothing := func() {
		t.Helper()
		require.Empty(t, y.engine.Docker("ps", "-aq"))
		require.Empty(t, y.viewer.droplets("GET", "/list", nil))
		y.root.do("GET", "/boxes/halves/entries", nil).is(`[]`)
		require.Equal(t, 0, number(t, y.db, `SELECT count(*) FROM droplets`))
	}
	failed := func() int {
		return number(t, y.db,
			`SELECT count(*) FROM events WHERE action = 'droplet.add' AND outcome = 'failed'
				AND actor_name = 'manager'`)
	}
	before := failed()
	for _, box := range []string{`"box":"halves",`, ""} {
		got := y.manager.do("POST", "/api/v1/droplet/add", `{`+box+`"image":"`+engine.BrokenImage+`"}`,
			sealed...).expect(400)
		require.EqualValues(t, 900, read[map[string]any](got)["errorId"])
		require.Regexp(t, `^Error response from daemon: .*/nothing.*`, got.string("error"))
		nothing()
		y.manager.do("POST", "/api/v1/droplet/add", `{`+box+`"image":"missing:1"}`, sealed...).
			fails(400, 900, "Error response from daemon: No such image: missing:1")
		nothing()
	}
	// The box is full.
	run(t, y.db, `UPDATE boxes SET entry_count = 10000 WHERE name = 'halves'`)
	y.manager.do("POST", "/api/v1/droplet/add", `{"box":"halves"}`, sealed...).failsUnnumbered(409)
	run(t, y.db, `UPDATE boxes SET entry_count = 0 WHERE name = 'halves'`)
	nothing()
	require.Equal(t, before+5, failed(), "each is audited")
	// The add succeeds although the droplet's program exits.
	list := y.manager.droplets("POST", "/add", `{"image":"`+engine.FailingImage+`"}`)
	require.Len(t, list, 1)
	require.Regexp(t, `^(Up|Restarting|Exited)`, list[0].Status)
}

// testDeletedDuringBuild covers a droplet that another server deletes while the first server still builds it. The first
// server must stop the build. The other server must remove everything that the build has created. A trigger on INSERT
// imitates the deletion.
func testDeletedDuringBuild(t *testing.T, y *yard) {
	y.root.box("lost")
	y.root.share("lost", "manager", "createEntry")
	run(t, y.db, `CREATE FUNCTION claim() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN NEW.abandoned := true; NEW.busy_until := now() + interval '1 hour'; RETURN NEW; END $$`)
	run(t, y.db, `CREATE TRIGGER claim BEFORE INSERT ON droplets FOR EACH ROW EXECUTE FUNCTION claim()`)
	for _, body := range []string{`{}`, `{"box":"lost"}`} {
		got := y.manager.do("POST", "/api/v1/droplet/add", body, sealed...).failsUnnumbered(409)
		require.Contains(t, got.string("error"), "deleted while it was being created")
	}
	run(t, y.db, `DROP FUNCTION claim CASCADE`)
	y.root.do("GET", "/boxes/lost/entries", nil).expect(200).is(`[]`)
	require.Len(t, y.viewer.droplets("GET", "/list", nil), 2, "the other server is at it")
	run(t, y.db, `UPDATE droplets SET busy_until = now()`)
	y.consistent("lost", 10*time.Second)
	require.Empty(t, y.viewer.droplets("GET", "/list", nil))
}

// testProgramIgnoresStop stops a droplet whose program ignores the stop signal. The Docker host must kill the program.
// The request must wait until the program has ended.
func testProgramIgnoresStop(t *testing.T, y *yard) {
	y.manager.droplets("POST", "/add", `{"image":"`+engine.StubbornImage+`"}`)
	y.inside(1)
	began := time.Now()
	list := y.manager.droplets("PATCH", "/stop/droplet01", nil)
	require.Regexp(t, `^Exited \(137\)`, list[0].Status)
	require.InDelta(t, 10, time.Since(began).Seconds(), 4)
	require.Empty(t, y.manager.droplets("DELETE", "/delete/droplet01", nil))
}

// testClientDisconnects covers clients that disconnect during an add. Each add must leave either a complete droplet or
// nothing.
func testClientDisconnects(t *testing.T, y *yard) {
	y.root.box("hasty")
	y.root.share("hasty", "manager", "createEntry")
	for patience := 20 * time.Millisecond; patience < 500*time.Millisecond; patience += 60 * time.Millisecond {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		request, err := http.NewRequestWithContext(ctx, "POST", y.url+"/api/v1/droplet/add",
			strings.NewReader(`{"box":"hasty"}`))
		require.NoError(t, err)
		request.Header.Set("Authorization", "Bearer "+y.manager.token)
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("X-Encryption-Key", generatedKey)
		if response, err := httpClient.Do(request); err == nil {
			_ = response.Body.Close()
		}
		cancel()
	}
	y.consistent("hasty", 10*time.Second)
}

// The consistent method waits until every droplet is complete. Each droplet then has one entry in the box, one row in
// the database and one container that was started. No other containers exist. The containers need not run, because an
// engine that was killed does not always restart them.
func (y *yard) consistent(box string, patience time.Duration) {
	y.t.Helper()
	var containers, listed, entries, records int
	whole := func() bool {
		list := y.viewer.droplets("GET", "/list", nil)
		listed = len(list)
		containers = len(strings.Fields(y.engine.Docker("ps", "-aq")))
		entries = len(read[[]string](y.root.do("GET", "/boxes/"+box+"/entries", nil).expect(200)))
		records = number(y.t, y.db, `SELECT count(*) FROM droplets`)
		return y.engine.Docker("ps", "-aq", "--filter", "status=created") == "" && containers == listed &&
			listed == entries && entries == records &&
			number(y.t, y.db, `SELECT count(*) FROM droplets WHERE busy_until IS NOT NULL`) == 0
	}
	for deadline := time.Now().Add(patience); !whole(); time.Sleep(100 * time.Millisecond) {
		require.True(y.t, time.Now().Before(deadline), "%d containers, %d listed, %d entries, %d records\n%s",
			containers, listed, entries, records,
			y.engine.Docker("ps", "-a"))
	}
}

// testNumbersExhausted verifies that an add fails when all 99 numbers are taken.
func testNumbersExhausted(t *testing.T, y *yard) {
	y.manager.droplets("POST", "/add", nil)
	installation := y.engine.Docker("inspect", "-f", `{{index .Config.Labels "lockbox.installation"}}`, "droplet01")
	var group sync.WaitGroup
	for first := range 4 {
		group.Go(func() {
			for i := 2 + first; i <= 99; i += 4 {
				if i != 50 {
					_, err := y.engine.Try("create", "--name", fmt.Sprintf("droplet%02d", i), "--label",
						"foreign="+installation, engine.Image)
					assert.NoError(t, err)
				}
			}
		})
	}
	group.Wait()
	require.Equal(t, []string{"droplet50", "droplet01"}, namesOf(y.manager.droplets("POST", "/add", nil)))
	y.manager.do("POST", "/api/v1/droplet/add", nil).fails(400, 900,
		"Error response from daemon: all numbers from droplet01 to droplet99 are taken")
}
