//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// A race function runs one round of concurrent requests. The name argument differs in each round and serves as the name
// of boxes and users.
type race func(t *testing.T, c *cluster, name string)

// raceLimits are low, so that the races reach them.
var raceLimits = []string{"MAX_ENTRIES_PER_BOX=5", "MAX_USERS_PER_BOX=4", "MAX_BOXES_PER_USER=3"}

// TestRaces runs every race on two replicas that share one database.
func TestRaces(t *testing.T) {
	t.Parallel()
	inOrder(t, races, func(t *testing.T, each race) { runRace(t, each, readCommitted, repeats()) })
}

// TestRacesAtOtherIsolationLevels runs every race at the two stricter isolation levels. The database may then abort
// concurrent transactions. The server retries them a few times and then answers 503. Nothing else may differ.
func TestRacesAtOtherIsolationLevels(t *testing.T) {
	t.Parallel()
	for _, level := range []string{repeatableRead, serializable} {
		t.Run(level, func(t *testing.T) {
			t.Parallel()
			inOrder(t, races, func(t *testing.T, each race) { runRace(t, each, level, max(2, repeats()/20)) })
		})
	}
}

func runRace(t *testing.T, each race, isolation string, times int) {
	t.Helper()
	c := startCluster(t, isolation, raceLimits...)
	for round := range times {
		each(t, c, fmt.Sprintf("n%d", round))
	}
}

var races = map[string]race{
	"two initialize":                                 raceInitialize,
	"two admins delete each other":                   raceDeleteEachOther,
	"two admins demote each other":                   raceDemoteEachOther,
	"two admins deactivate each other":               raceDeactivateEachOther,
	"an admin is deleted while it promotes":          raceDeleteAndPromote,
	"the last two API keys are deleted":              raceLastKeys,
	"an API key is issued during a deactivation":     raceKeyAndDeactivation,
	"a user is deleted while it works":               raceDeleteActiveUser,
	"a box is created twice":                         raceCreateBox,
	"a box is given away two ways":                   raceTransfer,
	"a box is transferred to a leaving member":       raceTransferToRemovedUser,
	"a grant meets a rekey":                          raceGrantAndRekey,
	"two rekeys":                                     raceTwoRekeys,
	"a rekey meets ten writers":                      raceRekeyAndWriters,
	"a first keyring meets ten writers":              raceFirstKeyringAndWriters,
	"a box is deleted while entries are written":     raceDeleteBox,
	"users are added up to the limit":                raceUsersLimit,
	"boxes are made and given up to the limit":       raceBoxesLimit,
	"ten write one entry":                            raceWriters,
	"ten write one entry with If-Match":              raceIfMatch,
	"ten create one entry with If-None-Match":        raceIfNoneMatch,
	"entries are created up to the limit":            raceEntriesLimit,
	"entries are created, deleted, restored":         raceEntryCount,
	"one entry is created, deleted and restored":     raceOneEntry,
	"what one replica took away, the other denies":   raceNextRequest,
	"the same user name is taken twice":              raceCreateUser,
	"a password is set and signed in with, and away": racePassword,
}

// raceInitialize removes the first owner with SQL before each round.
func raceInitialize(t *testing.T, c *cluster, name string) {
	run(t, c.a.db, `UPDATE system SET owner_id = NULL`)
	run(t, c.a.db, `DELETE FROM users`)
	answers := c.times(4, func(i int, s *server) *answer {
		return s.as("").do("POST", "/init", fmt.Sprintf(`{"username":"%s-%d","password":"a-password"}`, name, i))
	})
	c.expectTally(answers, 200, 1, 409, 3)
	require.Equal(t, 1, tally(answers)[200])
	winner := slices.IndexFunc(answers, func(a *answer) bool { return a.Status == 200 })
	require.JSONEq(t, fmt.Sprintf(`["%s-%d"]`, name, winner),
		string(c.b.as(answers[winner].string("apiKey")).do("GET", "/users", nil).expect(200).Body))
}

// twoAdmins creates two admins. The client of each admin uses a different replica.
func (c *cluster) twoAdmins(name string) (x, y client) {
	c.t.Helper()
	return c.root.admin(name + "-x"), c.root.admin(name + "-y").at(c.b)
}

func (c *cluster) role(name string) string {
	c.t.Helper()
	return c.root.do("GET", "/users/"+name, nil).expect(200).string("role")
}

// checkOwner checks that the owner is an active admin.
func (c *cluster) checkOwner() {
	c.t.Helper()
	c.root.at(c.b).do("GET", "/users", nil).expect(200)
	require.Equal(c.t, 1, c.number(
		`SELECT count(*) FROM system s JOIN users u ON u.id = s.owner_id WHERE u.is_active AND u.role = 'admin'`))
}

func raceDeleteEachOther(_ *testing.T, c *cluster, name string) {
	x, y := c.twoAdmins(name)
	answers := c.atOnce(
		func() *answer { return x.do("DELETE", "/users/"+name+"-y", nil) },
		func() *answer { return y.do("DELETE", "/users/"+name+"-x", nil) },
		func() *answer { return x.at(c.b).do("DELETE", "/users/root", nil) })
	require.NotEqual(c.t, 204, answers[2].Status)
	c.expectTally(answers[:2], 204, 1, 401, 1)
	c.checkOwner()
}

func raceDemoteEachOther(_ *testing.T, c *cluster, name string) {
	x, y := c.twoAdmins(name)
	answers := c.atOnce(
		func() *answer { return x.do("PUT", "/users/"+name+"-y", `{"role":"user"}`) },
		func() *answer { return y.do("PUT", "/users/"+name+"-x", `{"role":"user"}`) },
		func() *answer { return y.at(c.a).do("PUT", "/users/root", `{"role":"user"}`) })
	require.Equal(c.t, 403, answers[2].Status)
	c.expectTally(answers[:2], 204, 1, 403, 1)
	c.checkOwner()
}

func raceDeactivateEachOther(_ *testing.T, c *cluster, name string) {
	x, y := c.twoAdmins(name)
	answers := c.atOnce(
		func() *answer { return x.do("PUT", "/users/"+name+"-y", `{"isActive":false}`) },
		func() *answer { return y.do("PUT", "/users/"+name+"-x", `{"isActive":false}`) })
	c.expectTally(answers, 204, 1, 401, 1)
	c.checkOwner()
}

func raceDeleteAndPromote(t *testing.T, c *cluster, name string) {
	x, y := c.twoAdmins(name)
	c.root.user(name + "-u")
	answers := c.atOnce(
		func() *answer { return x.do("DELETE", "/users/"+name+"-y", nil) },
		func() *answer { return y.do("PUT", "/users/"+name+"-u", `{"role":"admin"}`) },
		func() *answer {
			return y.at(c.a).do("POST", "/users", `{"username":"`+name+`-v","password":"a-password","role":"admin"}`)
		})
	if !c.mayRefuse {
		require.Equal(t, 204, answers[0].Status)
	}
	promoted := answers[1].Status == 204
	require.True(t, promoted || answers[1].Status == 401 || answers[1].Status == 503, "%d", answers[1].Status)
	require.Equal(t, promoted, c.role(name+"-u") == "admin")
	made := answers[2].Status == 201
	require.True(t, made || answers[2].Status == 401 || answers[2].Status == 503, "%d", answers[2].Status)
	require.Equal(t, made, c.root.do("GET", "/users/"+name+"-v", nil).Status == 200)
	c.checkOwner()
}

func raceLastKeys(t *testing.T, c *cluster, name string) {
	user := c.root.user(name)
	other := c.a.as(user.do("POST", "/api-keys", nil).expect(200).string("apiKey"))
	answers := c.atOnce(
		func() *answer { return c.root.do("DELETE", "/api-keys/"+user.token, nil) },
		func() *answer { return c.root.at(c.b).do("DELETE", "/api-keys/"+other.token, nil) })
	c.expectTally(answers, 204, 1, 409, 1)
	alive := 0
	for _, each := range []client{user, other.at(c.b)} {
		if each.do("GET", "/whoami", nil).Status == 200 {
			alive++
		}
	}
	require.Equal(t, 2-tally(answers)[204], alive)
	require.Equal(t, alive, c.number(`SELECT count(*) FROM api_keys k JOIN users u ON u.id = k.user_id WHERE u.name `+
		`= $1`, name))
}

func raceKeyAndDeactivation(t *testing.T, c *cluster, name string) {
	user := c.root.user(name)
	deactivate := func(active bool) *answer {
		return c.root.do("PUT", "/users/"+name, fmt.Sprintf(`{"isActive":%t}`, active))
	}
	answers := c.times(8, func(i int, s *server) *answer {
		switch {
		case i == 3:
			return deactivate(false)
		case i < 5:
			return user.at(s).do("POST", "/api-keys", nil)
		default:
			return s.as("").do("POST", "/authenticate", `{"username":"`+name+`","password":"`+name+`-password"}`)
		}
	})
	if answers[3].Status == 503 {
		deactivate(false).expect(204)
	}
	deactivate(true).expect(204)
	user.do("GET", "/whoami", nil).expect(401)
	for i, each := range answers {
		if i == 3 || each.Status != 200 {
			require.Contains(t, []int{204, 401, 503}, each.Status, "%s", each.Body)
			continue
		}
		c.on(i).as(each.string("apiKey")+each.string("token")).do("GET", "/whoami", nil).expect(401)
	}
}

func raceCreateUser(_ *testing.T, c *cluster, name string) {
	answers := c.times(4, func(i int, s *server) *answer {
		return c.root.at(s).do("POST", "/users", fmt.Sprintf(`{"username":"%s","password":"password-%d"}`, name, i))
	})
	c.expectTally(answers, 201, 1, 409, 3)
}

// racePassword sends two password changes and four sign-ins with the old password concurrently. Exactly one of the new
// passwords must be valid afterwards. All sessions from these sign-ins must have ended.
func racePassword(t *testing.T, c *cluster, name string) {
	user := c.root.user(name)
	signIn := func(s *server, password string) *answer {
		return s.as("").do("POST", "/authenticate", `{"username":"`+name+`","password":"`+password+`"}`)
	}
	old := name + "-password"
	answers := c.times(6, func(i int, s *server) *answer {
		if i < 2 {
			return user.at(s).do("PUT", "/users/"+name,
				fmt.Sprintf(`{"password":"new-password-%d","currentPassword":"%s"}`, i, old))
		}
		return signIn(s, old)
	})
	changed := 0
	for i, each := range answers[:2] {
		if each.Status == 204 {
			changed++
			signIn(c.b, fmt.Sprintf("new-password-%d", i)).expect(200)
			continue
		}
		require.Contains(t, []int{403, 409, 503}, each.Status, "%s", each.Body)
	}
	if !c.mayRefuse {
		require.Equal(t, 1, changed)
	}
	for i, each := range answers[2:] {
		if changed == 1 && each.Status == 200 {
			c.on(i).as(each.string("token")).do("GET", "/whoami", nil).expect(401)
		}
	}
	require.Equal(t, changed == 0, signIn(c.a, old).Status == 200)
}
