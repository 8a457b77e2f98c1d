//go:build e2e

package e2e

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// checkBoxOwner checks that the owner of a box is an active member of the box and has the role boxadmin.
func (s boxState) checkBoxOwner(t *testing.T) {
	t.Helper()
	for _, user := range s.Users {
		if user.Username == s.Owner {
			require.True(t, user.IsActive)
			require.Equal(t, "boxadmin", user.Role)
			return
		}
	}
	require.Fail(t, "the owner is not in the box", "%+v", s)
}

// boxWith creates a box that root owns. It also creates the users with the given names, and makes them members with all
// permissions.
func (c *cluster) boxWith(box string, users ...string) []client {
	c.t.Helper()
	c.root.do("POST", "/boxes/"+box, nil).expect(201)
	clients := make([]client, len(users))
	for i, user := range users {
		clients[i] = c.root.user(user)
		c.root.do("POST", "/boxes/"+box+"/users", `{"username":"`+user+`"}`).expect(201)
		c.root.do("PUT", "/boxes/"+box+"/users/"+user+"/permissions",
			`["readEntryKeys","readEntry","createEntry","deleteEntry"]`).expect(204)
	}
	return clients
}

func raceCreateBox(t *testing.T, c *cluster, name string) {
	users := []client{c.root.user(name + "-x"), c.root.user(name + "-y")}
	answers := c.times(4, func(i int, s *server) *answer { return users[i%2].at(s).do("POST", "/boxes/"+name, nil) })
	c.expectTally(answers, 201, 1, 409, 3)
	if tally(answers)[201] == 1 {
		c.root.state(name).checkBoxOwner(t)
	}
}

func raceTransfer(t *testing.T, c *cluster, name string) {
	users := c.boxWith(name, name+"-o", name+"-p", name+"-q")
	c.root.do("PUT", "/boxes/"+name, `{"owner":"`+name+`-o"}`).expect(204)
	owner := users[0]
	for _, offered := range c.atOnce(
		func() *answer { return owner.do("PUT", "/boxes/"+name, `{"owner":"`+name+`-p"}`) },
		func() *answer { return owner.at(c.b).do("PUT", "/boxes/"+name, `{"owner":"`+name+`-q"}`) }) {
		require.Contains(t, []int{204, 503}, offered.Status)
	}
	// The second offer has replaced the first one, so only one of the two users can accept.
	answers := c.atOnce(
		func() *answer { return users[1].do("POST", "/boxes/"+name+"/offer/accept", nil) },
		func() *answer { return users[2].at(c.b).do("POST", "/boxes/"+name+"/offer/accept", nil) })
	c.expectTally(answers, 204, 1, 404, 1)
	want := map[bool]string{true: name + "-p", false: name + "-q"}[answers[0].Status == 204]
	state := c.root.state(name)
	state.checkBoxOwner(t)
	if tally(answers)[204] == 1 {
		require.Equal(t, want, state.Owner)
	}
	// An admin can transfer any box, so both requests may succeed one after the other.
	for _, each := range c.atOnce(
		func() *answer { return c.root.do("PUT", "/boxes/"+name, `{"owner":"`+name+`-o"}`) },
		func() *answer { return c.root.at(c.b).do("PUT", "/boxes/"+name, `{"owner":"root"}`) }) {
		require.Contains(t, []int{204, 503}, each.Status)
	}
	c.root.state(name).checkBoxOwner(t)
}

// raceTransferToRemovedUser transfers a box to a member. At the same time, another request removes, demotes,
// deactivates or deletes this member.
func raceTransferToRemovedUser(t *testing.T, c *cluster, name string) {
	c.boxWith(name, name+"-h")
	leave := []func() *answer{
		func() *answer {
			return c.root.at(c.b).do("PUT", "/boxes/"+name+"/users/"+name+"-h", `{"isActive":false}`)
		},
		func() *answer {
			return c.root.at(c.b).do("PUT", "/boxes/"+name+"/users/"+name+"-h", `{"role":"boxuser"}`)
		},
		func() *answer { return c.root.at(c.b).do("DELETE", "/boxes/"+name+"/users/"+name+"-h", nil) },
		func() *answer { return c.root.at(c.b).do("DELETE", "/users/"+name+"-h", nil) },
	}
	for _, each := range leave {
		answers := c.atOnce(each, func() *answer { return c.root.do("PUT", "/boxes/"+name, `{"owner":"`+name+`-h"}`) })
		for _, each := range answers {
			require.Contains(t, []int{204, 404, 409, 503}, each.Status, "%s", each.Body)
		}
		c.root.state(name).checkBoxOwner(t)
		require.Equal(t, 1, c.number(`SELECT count(*) FROM boxes b JOIN users u ON u.id = b.owner_id WHERE b.name = $1`,
			name))
		// If the transfer succeeded, this request transfers the box back to root.
		c.root.do("PUT", "/boxes/"+name, `{"owner":"root"}`).expect(204)
	}
}

func raceDeleteBox(t *testing.T, c *cluster, name string) {
	users := c.boxWith(name, name+"-w")
	users[0].put(name, "old", `1`).expect(201)
	id := c.root.state(name).ID
	answers := c.times(10, func(i int, s *server) *answer {
		switch i {
		case 4:
			return c.root.at(s).do("DELETE", "/boxes/"+name, nil)
		case 5:
			return users[0].at(s).do("DELETE", "/boxes/"+name+"/entries/old", nil)
		case 6:
			return c.root.at(s).do("POST", "/boxes/"+name+"/users", `{"username":"`+name+`-w"}`)
		case 7, 8:
			return users[0].at(s).put(name, "old", `2`)
		default:
			return users[0].at(s).put(name, fmt.Sprintf("new-%d", i%4), `3`)
		}
	})
	for i, each := range answers {
		require.Contains(t, []int{201, 204, 404, 409, 503}, each.Status, "%d %s", i, each.Body)
	}
	if answers[4].Status == 503 {
		c.root.do("DELETE", "/boxes/"+name, nil).expect(204)
	}
	require.Empty(t, c.traces(id))
	c.root.do("GET", "/boxes/"+name, nil).expect(404)
}

func raceDeleteActiveUser(t *testing.T, c *cluster, name string) {
	user := c.boxWith(name, name+"-w")[0]
	user.put(name, "shared", `1`).expect(201)
	id := text(t, c.a.db, `SELECT id FROM users WHERE name = $1`, name+"-w")
	answers := c.times(10, func(i int, s *server) *answer {
		switch i {
		case 3:
			return c.root.at(s).do("DELETE", "/users/"+name+"-w", nil)
		case 4:
			return user.at(s).do("POST", "/boxes/"+name+"-own", nil)
		case 5:
			return user.at(s).do("POST", "/api-keys", nil)
		case 6:
			return s.as("").do("POST", "/authenticate", `{"username":"`+name+`-w","password":"`+name+`-w-password"}`)
		case 7, 8:
			return user.at(s).put(name, "shared", `2`)
		default:
			return user.at(s).put(name, fmt.Sprintf("new-%d", i), `3`)
		}
	})
	for i, each := range answers {
		require.Contains(t, []int{200, 201, 204, 401, 409, 503}, each.Status, "%d %s", i, each.Body)
	}
	if answers[3].Status != 204 {
		if !c.mayRefuse {
			require.Equal(t, "user_owns_boxes", answers[3].code())
		}
		user.do("GET", "/whoami", nil).expect(200)
		return
	}
	require.Empty(t, c.traces(id))
	user.at(c.b).do("GET", "/whoami", nil).expect(401)
	c.root.get(name, "shared").expect(200)
}

func raceUsersLimit(t *testing.T, c *cluster, name string) {
	c.boxWith(name)
	for i := range 6 {
		c.root.user(fmt.Sprintf("%s-%d", name, i))
	}
	answers := c.times(6, func(i int, s *server) *answer {
		return c.root.at(s).do("POST", "/boxes/"+name+"/users", fmt.Sprintf(`{"username":"%s-%d"}`, name, i))
	})
	c.expectTally(answers, 201, 3, 409, 3)
	require.Len(t, c.root.state(name).Users, 1+tally(answers)[201])
}

func raceBoxesLimit(t *testing.T, c *cluster, name string) {
	user := c.boxWith(name, name+"-u")[0]
	answers := c.times(8, func(i int, s *server) *answer {
		if i == 3 {
			return c.root.at(s).do("PUT", "/boxes/"+name, `{"owner":"`+name+`-u"}`)
		}
		return user.at(s).do("POST", fmt.Sprintf("/boxes/%s-%d", name, i), nil)
	})
	got := tally(answers)
	owned := c.number(`SELECT count(*) FROM boxes b JOIN users u ON u.id = b.owner_id WHERE u.name = $1`, name+"-u")
	require.Equal(t, owned, got[201]+got[204], "%v", got)
	require.LessOrEqual(t, owned, 3)
	if !c.mayRefuse {
		require.Equal(t, 3, owned)
		require.Equal(t, 5, got[409])
	}
}
