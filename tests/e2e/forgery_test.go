package e2e

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
)

// swap exchanges columns of two rows of entry_versions. Each of p and q selects a row by the key and the version of an
// entry, for example `'one', 2`.
func swap(columns, p, q string) string {
	return fmt.Sprintf(`UPDATE entry_versions v SET (%[1]s) = (SELECT %[1]s FROM entry_versions o
		WHERE CASE WHEN (v.key, v.version) = (%[2]s) THEN (o.key, o.version) = (%[3]s)
			ELSE (o.key, o.version) = (%[2]s) END)
		WHERE (v.key, v.version) IN ((%[2]s), (%[3]s))`, columns, p, q)
}

// statements splits SQL at semicolons. The SQL must not contain a semicolon within a statement.
func statements(sql string) (list []string) {
	for len(sql) > 0 {
		end := 0
		for end < len(sql) && sql[end] != ';' {
			end++
		}
		list = append(list, sql[:end])
		sql = sql[min(end+1, len(sql)):]
	}
	return list
}

// TestForgedAccounts moves password hashes and credentials between users.
func TestForgedAccounts(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	victim, thief := root.admin("victim"), root.user("thief")
	run(t, s.db, `UPDATE users SET password = (SELECT password FROM users WHERE name = 'thief') WHERE name = 'victim'`)
	for _, password := range []string{"thief-password", "victim-password"} {
		root.expectTampered(s.authenticate("victim", password), "session.create")
		require.Equal(t, "victim", root.lastEvent("session.create")["target"])
	}
	root.expectTampered(victim.do("PUT", "/users/victim",
		`{"password":"another-password","currentPassword":"thief-password"}`), "user.password")
	s.authenticate("thief", "thief-password").expect(200)
	root.do("PUT", "/users/victim", `{"password":"another-password"}`).expect(204)
	s.authenticate("victim", "another-password").expect(200)

	// The text of a token identifies its user. If the row of the token is assigned to another user, the token must
	// become invalid.
	run(t, s.db, `UPDATE api_keys SET user_id = (SELECT id FROM users WHERE name = 'victim')
		WHERE user_id = (SELECT id FROM users WHERE name = 'thief')`)
	thief.do("GET", "/whoami", nil).expect(401)
	victim.do("GET", "/whoami", nil).expect(200)
}

// TestRekeySkipsForgedRows verifies that a rekey reports forged rows and still rekeys all other rows.
func TestRekeySkipsForgedRows(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	root.do("POST", "/boxes/default", nil).expect(201)
	for i := range 250 {
		root.put("default", fmt.Sprintf("kept-%d", i), fmt.Sprint(i)).expect(201)
	}
	run(t, s.db, `UPDATE entry_versions SET envelope = set_byte(envelope, 60, get_byte(envelope, 60) # 1) WHERE key `+
		`IN ('kept-0', 'kept-100')`)
	done, err := serverKeys(t, s.db).Rekey(t.Context(), domain.KeyForEntries, func(int) {})
	require.ErrorContains(t, err, "entry kept-0, version 1")
	require.ErrorContains(t, err, "entry kept-100, version 1")
	require.Equal(t, 248, done)
	rekeyed(t, s.db, domain.KeyForEntries, 2)
	for i := 1; i < 250; i += 30 {
		require.Equal(t, fmt.Sprint(i), string(root.get("default", fmt.Sprintf("kept-%d", i)).expect(200).Body))
	}
	root.expectTampered(root.get("default", "kept-100"), "entry.read")

	root.user("user1")
	run(t, s.db, `UPDATE users SET password = (SELECT password FROM users WHERE name = 'root') WHERE name = 'user1'`)
	done, err = serverKeys(t, s.db).Rekey(t.Context(), domain.KeyForAccounts, func(int) {})
	require.ErrorContains(t, err, "password of user")
	require.Equal(t, 1, done)
	rekeyed(t, s.db, domain.KeyForAccounts, 2)
	root.expectTampered(s.authenticate("user1", "user1-password"), "session.create")
	root.do("PUT", "/users/user1", `{"password":"another-password"}`).expect(204)
	s.authenticate("user1", "another-password").expect(200)
	s.authenticate("root", "root-password").expect(200)
}
