//go:build e2e && linux

package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// testFailedAddRestoresEntry covers an add that fails after it wrote the private key. The entry of the droplet must
// then have the value that it had before the add. The last step of an add updates the row of the droplet. A trigger
// makes this update fail.
func testFailedAddRestoresEntry(t *testing.T, y *yard) {
	y.root.box("older")
	y.root.share("older", "manager", "createEntry")
	const key = "droplets%2Fdroplet01%2Fssh"
	run(t, y.db, `CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$`)
	run(t, y.db, `CREATE TRIGGER lose BEFORE UPDATE ON droplets FOR EACH ROW WHEN (NEW.name <> '')
		EXECUTE FUNCTION lose()`)
	defer run(t, y.db, `DROP FUNCTION lose CASCADE`)
	fail := func() {
		t.Helper()
		y.manager.do("POST", "/api/v1/droplet/add", `{"box":"older"}`, sealed...).failsUnnumbered(409)
		require.Empty(t, y.engine.Docker("ps", "-aq"))
		require.Equal(t, 0, number(t, y.db, `SELECT count(*) FROM droplets`))
	}
	restored := func() int {
		return number(t, y.db, `SELECT count(*) FROM events WHERE action = 'entry.restore' AND outcome = 'success'
			AND actor_name = '(service)' AND box_name = 'older' AND entry_key = 'droplets/droplet01/ssh'`)
	}
	fail() // the entry had no value before
	y.root.do("GET", "/boxes/older/entries", nil).is(`[]`)
	require.Equal(t, 0, restored())
	for i, value := range []string{`"older"`, `{"under": "another key"}`} {
		headers := []string{"X-Encryption-Key", []string{generatedKey, otherKey}[i]}
		y.root.do("POST", "/boxes/older/entries", `{"key":"droplets/droplet01/ssh","value":`+value+`}`, headers...).
			expect(201)
		fail()
		y.root.do("GET", "/boxes/older/entries/"+key, nil, headers...).expect(200).is(value)
		require.Equal(t, i+1, restored())
	}
	y.root.do("DELETE", "/boxes/older/entries/"+key, nil).expect(204)
	fail() // the entry was deleted before
	y.root.do("GET", "/boxes/older/entries", nil).is(`[]`)
	require.Equal(t, 2, restored())
}
