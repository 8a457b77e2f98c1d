package e2e

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
)

// TestUndetectedChanges changes the database in ways that Lockbox cannot detect. SECURITY.md lists these changes and
// their results. The test verifies the results.
func TestUndetectedChanges(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	root.box("default")
	user := root.user("user1")
	root.share("default", "user1")
	for version := range 3 {
		root.put("default", "entry", fmt.Sprint(version+1)).expect(201)
	}

	// The newest version is deleted. The next version gets the number of the deleted version.
	run(t, s.db, `DELETE FROM entry_versions WHERE version = 3`)
	run(t, s.db, `UPDATE entries SET version = 2`)
	assert.Equal(t, `2`, string(root.get("default", "entry").expect(200).Body))
	assert.Equal(t, `"3"`, root.put("default", "entry", `4`).expect(201).Header.Get("ETag"))

	// Permissions, roles and box owners are stored without encryption or authentication. A read of a value still
	// requires the encryption key.
	user.get("default", "entry").expect(403)
	run(t, s.db, `UPDATE box_users SET permissions = (SELECT max(permissions) FROM box_users)`)
	run(t, s.db, `UPDATE users SET role = 'admin' WHERE name = 'user1'`)
	run(t, s.db, `UPDATE boxes SET owner_id = (SELECT id FROM users WHERE name = 'user1')`)
	user.get("default", "entry").expect(200)
	user.get("default", "entry", "X-Encryption-Key", otherKey).refuses(403, "encryption_key_mismatch")
	user.do("GET", "/users", nil).expect(200)

	// A user's earlier password and a deleted API key become valid again.
	key := user.issue(nil)
	run(t, s.db, `CREATE TABLE kept_users AS SELECT * FROM users`)
	run(t, s.db, `CREATE TABLE kept_keys AS SELECT * FROM api_keys`)
	user.do("DELETE", "/api-keys/"+key.keyID(), nil).expect(204)
	root.do("PUT", "/users/user1", `{"password":"another-password"}`).expect(204)
	s.authenticate("user1", "user1-password").expect(401)
	run(t, s.db, `UPDATE users u SET password = k.password, password_key_id = k.password_key_id FROM kept_users k
		WHERE u.id = k.id`)
	run(t, s.db, `INSERT INTO api_keys SELECT * FROM kept_keys ON CONFLICT DO NOTHING`)
	s.authenticate("user1", "user1-password").expect(200)
	key.do("GET", "/whoami", nil).expect(200)

	// An attacker can delete entries and audit events.
	run(t, s.db, `DELETE FROM entries`)
	root.get("default", "entry").refuses(404, "entry_not_found")
	run(t, s.db, `DELETE FROM events`)
	assert.Empty(t, root.audit("/audit", "").Events)
	require.Empty(t, s.errors())

	// If no owner is stored, any client can create a new owner.
	run(t, s.db, `UPDATE system SET owner_id = NULL`)
	s.as("").do("POST", "/init", `{"username":"thief","password":"thief-password"}`).expect(200)
}

// TestEntryPointedBack changes the row of an entry in the database, so that an older version becomes the current one.
// The next write must report tampering.
func TestEntryPointedBack(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	root.box("default")
	root.put("default", "entry", `1`).expect(201)
	root.put("default", "entry", `2`).expect(201)
	run(t, s.db, `UPDATE entries SET version = 1`)
	root.expectTampered(root.put("default", "entry", `3`), "entry.write")
}

// TestOldServerKeyRestored verifies that a rekey does not protect against an attacker who can write to the database.
// The attacker can restore the old server key and make it the newest key again.
func TestOldServerKeyRestored(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	run(t, s.db, `CREATE TABLE kept AS SELECT * FROM server_keys WHERE purpose = 'session'`)
	_, err := serverKeys(t, s.db).Rekey(t.Context(), domain.KeyForSessions, func(int) {})
	require.NoError(t, err)
	run(t, s.db, `DELETE FROM sessions`)
	run(t, s.db, `DELETE FROM server_keys WHERE id IN (SELECT id FROM kept)`)
	run(t, s.db, `INSERT INTO server_keys SELECT * FROM kept`)
	run(t, s.db, `UPDATE server_keys SET generation = 9, retired_at = NULL WHERE id IN (SELECT id FROM kept)`)
	restarted := startOn(t, s.db)
	restarted.authenticate("root", "root-password").expect(200)
	root.at(restarted).do("GET", "/whoami", nil).expect(200)
	assert.Equal(t, 1, number(t, s.db, `SELECT count(*) FROM sessions WHERE key_id IN (SELECT id FROM kept)`))
}
