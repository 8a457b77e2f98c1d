//go:build e2e

package e2e

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/tests/usecases"
)

// keyedBox creates a box with three boxadmins who have identities. It also creates a keyring whose recipients are the
// first two boxadmins.
func (c *cluster) keyedBox(name string) (holders []holder, plan usecases.KeyringPlan, tag string) {
	c.t.Helper()
	c.boxWith(name, name+"-a", name+"-b", name+"-c")
	for _, suffix := range []string{"-a", "-b", "-c"} {
		holders = append(holders, c.a.holder(name+suffix))
		c.root.do("PUT", "/boxes/"+name+"/users/"+name+suffix, `{"role":"boxadmin"}`).expect(204)
	}
	plan = holders[0].plan(name, holders[1])
	return holders, plan, holders[0].first(name, plan).expect(201).tag()
}

// raceTwoKeyrings sends two concurrent requests that replace the same keyring. Exactly one of them must succeed. The
// other must get 412, which means that the client must read the keyring again.
func raceTwoKeyrings(t *testing.T, c *cluster, name string, one, two usecases.KeyringPlan, holders []holder,
	tag string) {
	t.Helper()
	answers := c.atOnce(
		func() *answer { return holders[0].replace(name, one, tag) },
		func() *answer { return holders[1].at(c.b).replace(name, two, tag) })
	c.expectTally(answers, 200, 1, 412, 1)
	if tally(answers)[200] != 1 {
		return
	}
	winner := map[bool]usecases.KeyringPlan{true: one, false: two}[answers[0].Status == 200]
	require.Contains(t, string(c.root.at(c.b).do("GET", "/boxes/"+name, nil).expect(200).Body),
		`"keyId":"`+winner.KeyID(t).String()+`","sequence":2`)
	require.Equal(t, 2, c.number(`SELECT count(*) FROM box_keyrings k JOIN boxes b ON b.id = k.box_id
		WHERE b.name = $1`, name))
	require.Equal(t, len(winner.Recipients), c.number(`SELECT count(*) FROM box_keyring_recipients r
		JOIN boxes b ON b.id = r.box_id WHERE b.name = $1 AND r.sequence = 2`, name))
}

// raceGrantAndRekey grants the key to a member and changes the key at the same time. Only one of the two requests can
// succeed.
func raceGrantAndRekey(t *testing.T, c *cluster, name string) {
	holders, plan, tag := c.keyedBox(name)
	one, two := holders[0].granted(plan, holders[2]), holders[1].rekeyed(plan, holders[0])
	raceTwoKeyrings(t, c, name, one, two, holders, tag)
}

func raceTwoRekeys(t *testing.T, c *cluster, name string) {
	holders, plan, tag := c.keyedBox(name)
	one, two := holders[0].rekeyed(plan, holders[1]), holders[1].rekeyed(plan, holders[0])
	raceTwoKeyrings(t, c, name, one, two, holders, tag)
}

// raceRekeyAndWriters changes the box key while ten writers still use the old box key.
func raceRekeyAndWriters(t *testing.T, c *cluster, name string) {
	holders, plan, tag := c.keyedBox(name)
	next := holders[0].rekeyed(plan, holders[1])
	change := func() *answer { return holders[0].replace(name, next, tag) }
	raceKeyAndWriters(t, c, name, holders[1].client, keyText(plan), plan.KeyID(t).String(), change)
	holders[1].putUnder(next, name, "entry-0", `"new"`).expect(201)
}

// raceFirstKeyringAndWriters gives a box its first keyring while ten writers still use an encryption key that is in no
// keyring.
func raceFirstKeyringAndWriters(t *testing.T, c *cluster, name string) {
	c.boxWith(name, name+"-a", name+"-b")
	anna, boris := c.a.holder(name+"-a"), c.a.holder(name+"-b")
	c.root.do("PUT", "/boxes/"+name+"/users/"+name+"-a", `{"role":"boxadmin"}`).expect(204)
	plan := anna.plan(name, boris)
	change := func() *answer { return anna.first(name, plan) }
	raceKeyAndWriters(t, c, name, boris.client, generatedKey, "", change)
	boris.putUnder(plan, name, "entry-0", `"new"`).expect(201)
}

// raceKeyAndWriters calls the function change while ten writers write with oldKey. Their versions record oldID. After
// the change, the server must not store a version with the old key, and no confirmed write may be lost. If a client
// sends a write with the old key after the response to the change, the server must refuse the write.
func raceKeyAndWriters(t *testing.T, c *cluster, name string, writer client, oldKey, oldID string,
	change func() *answer) {
	t.Helper()
	for i := range 3 {
		writer.put(name, fmt.Sprint("entry-", i), `0`, "X-Encryption-Key", oldKey).expect(201)
	}
	var changed, paused atomic.Bool
	var stored, refused atomic.Int64
	var group sync.WaitGroup
	for i := range 10 {
		group.Go(func() {
			for after := 0; after < 5; {
				if paused.Load() {
					time.Sleep(time.Millisecond)
					continue
				}
				late := changed.Load()
				got := writer.at(c.on(i)).put(name, fmt.Sprint("entry-", i%3), fmt.Sprint(i),
					"X-Encryption-Key", oldKey)
				switch {
				case got.Status == 409 && got.code() == "key_not_current":
					refused.Add(1)
				case got.Status == 201 && !late:
					stored.Add(1)
				case got.Status == 503 && c.mayRefuse:
				default:
					t.Errorf("%d after the change: %v: %s", got.Status, late, got.Body)
					return
				}
				if late {
					after++
				}
			}
		})
	}
	for stored.Load() < 10 && !t.Failed() { // the writers are at work
		c.number(`SELECT 1`)
	}
	got := c.surely(change)()
	if got.Status == 503 && c.mayRefuse { // the writers never left a gap for a transaction at this isolation level
		paused.Store(true)
		got = c.surely(change)()
	}
	require.Contains(t, []int{200, 201}, got.Status, "%s", got.Body)
	const count = `SELECT COALESCE(max(e.version), 0) FROM entries e JOIN boxes b ON b.id = e.box_id
		WHERE b.name = $1 AND e.key = $2`
	var before [3]int
	for i := range before {
		before[i] = c.number(count, name, fmt.Sprint("entry-", i))
	}
	changed.Store(true)
	paused.Store(false)
	group.Wait()
	total := 0
	for i, version := range before {
		require.Equal(t, version, c.number(count, name, fmt.Sprint("entry-", i)),
			"a version was stored after the change")
		total += version
	}
	require.Equal(t, int(stored.Load())+3, total, "a confirmed write was lost, or a refused one was stored")
	require.GreaterOrEqual(t, refused.Load(), int64(50))
	require.Zero(t, c.number(`SELECT count(*) FROM entry_versions v JOIN boxes b ON b.id = v.box_id
		WHERE b.name = $1 AND rtrim(translate(encode(v.box_key_id, 'base64'), '+/', '-_'), '=') IS DISTINCT FROM
			NULLIF($2, '')`, name, oldID))
}
