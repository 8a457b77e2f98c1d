//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
)

// TestRekeyWhileServing replaces every server key in turn while two replicas serve requests.
func TestRekeyWhileServing(t *testing.T) {
	t.Parallel()
	c := startCluster(t, readCommitted)
	c.root.do("POST", "/boxes/default", nil).expect(201)
	for i := range 450 { // more than two batches
		c.root.at(c.on(i)).put("default", fmt.Sprintf("kept/%d", i%150), fmt.Sprintf(`"%d"`, i)).expect(201)
	}
	user := c.root.user("user1")
	secret := c.root.member("coded", "viewer")
	user.do("POST", "/users/user1/totp", ownProof("user1", "")).expect(201)
	load := startLoad(t, c.root, c.root.at(c.b))
	keys := serverKeys(t, c.a.db)
	ignore := func(int) {}

	done, err := keys.Rekey(t.Context(), domain.KeyForEntries, ignore)
	require.NoError(t, err)
	require.GreaterOrEqual(t, done, 450)
	current := rekeyed(t, c.a.db, domain.KeyForEntries, 2)

	signIns := startSignIns(t, c)
	_, err = keys.Rekey(t.Context(), domain.KeyForAccounts, ignore)
	require.NoError(t, err)
	signIns()
	account := rekeyed(t, c.a.db, domain.KeyForAccounts, 2)
	require.Zero(t, number(t, c.a.db, `SELECT count(*) FROM users WHERE password_key_id <> $1::uuid`, account))
	require.Equal(t, 2, number(t, c.a.db, `SELECT count(*) FROM one_time_codes WHERE key_id = $1::uuid`, account))
	c.b.signInWithCode("coded", secret)

	session := c.a.as(c.a.authenticate("user1", "user1-password").expect(200).string("token"))
	done, err = keys.Rekey(t.Context(), domain.KeyForSessions, ignore)
	require.NoError(t, err)
	require.Positive(t, done)
	rekeyed(t, c.a.db, domain.KeyForSessions, 2)
	session.do("GET", "/whoami", nil).expect(401)
	fresh := c.b.as(c.b.authenticate("user1", "user1-password").expect(200).string("token"))
	fresh.at(c.a).do("GET", "/whoami", nil).expect(200)

	_, err = keys.Rekey(t.Context(), domain.KeyForThrottle, ignore)
	require.NoError(t, err)
	rekeyed(t, c.a.db, domain.KeyForThrottle, 2)
	load.stop() // the rekey revoked its API key
	load.check(c.root)
	require.Zero(t, number(t, c.a.db, `SELECT count(*) FROM entry_versions WHERE key_id <> $1::uuid`, current))

	revoked, err := keys.APIKeysRevokedByRekey(t.Context())
	require.NoError(t, err)
	require.Len(t, revoked, 2)
	_, err = keys.Rekey(t.Context(), domain.KeyForAPIKeys, ignore)
	require.NoError(t, err)
	rekeyed(t, c.a.db, domain.KeyForAPIKeys, 2)
	c.root.do("GET", "/whoami", nil).expect(401)
	user.at(c.b).do("GET", "/whoami", nil).expect(401)
	key := c.a.as(fresh.at(c.a).do("POST", "/api-keys", nil).expect(200).string("apiKey"))
	key.at(c.b).do("GET", "/whoami", nil).expect(200)
	root := c.b.as(c.b.authenticate("root", "root-password").expect(200).string("token"))
	for i := range 150 {
		require.Equal(t, fmt.Sprintf(`"%d"`, i+300),
			string(root.get("default", fmt.Sprintf("kept%%2F%d", i)).expect(200).Body))
	}
	load.check(root)
}

// startSignIns repeatedly signs in at both replicas. The returned function stops the sign-ins.
func startSignIns(t *testing.T, c *cluster) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	for i := range 2 {
		group.Go(func() {
			for ; ctx.Err() == nil; time.Sleep(loadPause) {
				if got := c.on(i).authenticate("user1", "user1-password"); got.Status != 200 {
					t.Errorf("%d %s", got.Status, got.Body)
					return
				}
			}
		})
	}
	return func() {
		cancel()
		group.Wait()
	}
}

// TestRekeyResumes interrupts a rekey after its first batch. It interrupts the next rekey while that rekey waits for an
// open transaction. A third rekey must then succeed.
func TestRekeyResumes(t *testing.T) {
	t.Parallel()
	c := startCluster(t, readCommitted)
	c.root.do("POST", "/boxes/default", nil).expect(201)
	for i := range 250 {
		c.root.at(c.on(i)).put("default", fmt.Sprintf("kept/%d", i), fmt.Sprint(i)).expect(201)
	}
	load := startLoad(t, c.root, c.root.at(c.b))
	for stopped, afterABatch := range []bool{true, false} {
		ctx, cancel := context.WithCancel(t.Context())
		progress := func(int) { cancel() }
		if !afterABatch {
			defer openTransaction(t, c.a.db)() // the rekey waits for it
			time.AfterFunc(testGrace/2, cancel)
			progress = func(int) {}
		}
		_, err := serverKeys(t, c.a.db).Rekey(ctx, domain.KeyForEntries, progress)
		cancel()
		require.Error(t, err)
		require.Equal(t, 2+stopped, number(t, c.a.db, `SELECT count(*) FROM server_keys WHERE purpose = 'entry'`))
		for _, i := range []int{0, 100, 249} {
			require.Equal(t, fmt.Sprint(i),
				string(c.root.at(c.b).get("default", fmt.Sprintf("kept%%2F%d", i)).expect(200).Body))
		}
	}
	_, err := serverKeys(t, c.a.db).Rekey(t.Context(), domain.KeyForEntries, func(int) {})
	require.NoError(t, err)
	load.stop()
	current := rekeyed(t, c.a.db, domain.KeyForEntries, 4)
	require.Zero(t, number(t, c.a.db, `SELECT count(*) FROM entry_versions WHERE key_id <> $1::uuid`, current))
	after := startOn(t, c.a.db)
	for i := range 250 {
		require.Equal(t, fmt.Sprint(i),
			string(c.root.at(after).get("default", fmt.Sprintf("kept%%2F%d", i)).expect(200).Body))
	}
	load.check(c.root.at(after))
}
