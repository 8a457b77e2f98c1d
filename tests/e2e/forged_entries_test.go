//go:build e2e

package e2e

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestForgedEntries changes stored rows, as an attacker with access to the database but without the keys could do. All
// rows are encrypted under the same client key. The server must still notice that a row was changed, or was moved to
// another key, version or box.
func TestForgedEntries(t *testing.T) {
	t.Parallel()
	forgeries := map[string]string{
		"two keys exchanged":        swap("key_id, sealed_as, envelope, value", `'one', 2`, `'two', 2`),
		"envelopes of two keys":     swap("key_id, envelope", `'one', 2`, `'two', 2`),
		"values of two keys":        swap("value", `'one', 2`, `'two', 2`),
		"two versions exchanged":    swap("key_id, sealed_as, envelope, value", `'one', 1`, `'one', 2`),
		"contents of two versions":  swap("key_id, envelope, value", `'one', 1`, `'one', 2`),
		"an old value":              swap("value", `'one', 1`, `'one', 2`),
		"an old envelope":           swap("key_id, envelope", `'one', 1`, `'one', 2`),
		"another box's":             swap("key_id, sealed_as, envelope, value", `'one', 2`, `'other', 1`),
		"sealed as another version": `UPDATE entry_versions SET sealed_as = 1 WHERE key = 'one' AND version = 2`,
		"a bit of the value": `UPDATE entry_versions SET value = set_byte(value, 20, get_byte(value, ` +
			`20) # 1) WHERE key = 'one' AND version = 2`,
		"a bit of the envelope": `UPDATE entry_versions SET envelope = set_byte(envelope, 60, ` +
			`get_byte(envelope, 60) # 1) WHERE key = 'one' AND version = 2`,
		"an envelope cut short": `UPDATE entry_versions SET envelope = substring(envelope FOR 40) WHERE ` +
			`key = 'one' AND version = 2`,
		"an envelope made longer": `UPDATE entry_versions SET envelope = envelope || '\x00' WHERE key = ` +
			`'one' AND version = 2`,
		"no envelope": `UPDATE entry_versions SET envelope = '' WHERE key = 'one' AND version = 2`,
		"no value":    `UPDATE entry_versions SET value = '' WHERE key = 'one' AND version = 2`,
		"a key that does not exist": `UPDATE entry_versions SET key_id = gen_random_uuid(), envelope = ` +
			`set_byte(envelope, 3, get_byte(envelope, 3) # 1) WHERE key = 'one' AND version = 2`,
		"a key line of another key's": `UPDATE entry_versions SET key_id = (SELECT id FROM server_keys WHERE ` +
			`purpose = 'account') WHERE key = 'one' AND version = 2`,
		"the version after it": `UPDATE entry_versions SET version = 3 WHERE key = 'one' AND version = ` +
			`2; UPDATE entries SET version = 3 WHERE key = 'one'`,
		"the box under another identifier": `INSERT INTO boxes (id, name, owner_id, kdf_salt, entry_count, ` +
			`created_at, updated_at) SELECT gen_random_uuid(), 'copy', owner_id, kdf_salt, 1, now(), now() FROM ` +
			`boxes WHERE name = 'default'; INSERT INTO entries SELECT (SELECT id FROM boxes WHERE name = 'copy'), ` +
			`e.key, e.version, e.deleted_at, e.swept, e.updated_at FROM entries e WHERE key = 'one'; UPDATE ` +
			`entry_versions SET box_id = (SELECT id FROM boxes WHERE name = 'copy') WHERE key = 'one'; DELETE FROM ` +
			`entries WHERE key = 'one' AND box_id = (SELECT id FROM boxes WHERE name = 'default'); UPDATE boxes SET ` +
			`name = 'was' WHERE name = 'default'; UPDATE boxes SET name = 'default' WHERE name = 'copy'; UPDATE ` +
			`box_users SET box_id = (SELECT id FROM boxes WHERE name = 'default') WHERE box_id = (SELECT id FROM ` +
			`boxes WHERE name = 'was')`,
	}
	inOrder(t, forgeries, func(t *testing.T, sql string) {
		s := start(t)
		root := s.initialize()
		root.do("POST", "/boxes/default", nil).expect(201)
		root.do("POST", "/boxes/second", nil).expect(201)
		for version := range 2 {
			root.put("default", "one", fmt.Sprintf(`"canary one %d"`, version)).expect(201)
			root.put("default", "two", fmt.Sprintf(`"canary two %d"`, version)).expect(201)
		}
		root.put("second", "other", `"canary other"`).expect(201)
		for _, statement := range statements(sql) {
			require.Positive(t, run(t, s.db, statement), statement)
		}
		got := root.get("default", "one")
		root.expectTampered(got, "entry.read")
		require.NotContains(t, string(got.Body), "canary")
		// The read with the right client key has failed. A read with a wrong client key must also fail.
		require.Contains(t, []int{403, 500}, root.get("default", "one", "X-Encryption-Key", otherKey).Status)
		version := number(t, s.db, `SELECT version FROM entries WHERE key = 'one'`)
		restored := root.do("POST", "/boxes/default/entries/one/restore", fmt.Sprintf(`{"version":%d}`, version))
		if restored.Status != 201 {
			root.expectTampered(restored, "entry.restore")
		} else if got := root.get("default", "one"); got.Status != 200 || string(got.Body) != `"canary one 1"` {
			// A restore does not decrypt the value, because it has no client key. The read after the restore must
			// either return the original value or fail.
			root.expectTampered(got, "entry.read")
		}
		require.NotContains(t, s.log.String(), "canary")
		// The remedy is to delete the forged entry and to write it again.
		root.do("DELETE", "/boxes/default/entries/one", nil).expect(204)
		root.put("default", "one", `"anew"`).expect(201)
		require.Equal(t, `"anew"`, string(root.get("default", "one").expect(200).Body))
	})
}
