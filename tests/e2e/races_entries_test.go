//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// versionNumbers lists the numbers of the stored versions of an entry, newest first.
func (c client) versionNumbers(box, key string) []uint64 {
	c.server.t.Helper()
	var lines []struct {
		Version uint64 `json:"version"`
	}
	got := c.do("GET", "/boxes/"+box+"/entries/"+key+"/versions", nil).expect(200)
	require.NoError(c.server.t, json.Unmarshal(got.Body, &lines))
	numbers := make([]uint64, len(lines))
	for i, line := range lines {
		numbers[i] = line.Version
	}
	return numbers
}

// raceWriters checks that the version numbers have no gaps, that each writer got its own number, and that a read
// returns the last version.
func raceWriters(t *testing.T, c *cluster, name string) {
	c.boxWith(name)
	answers := c.times(10, func(i int, s *server) *answer { return c.root.at(s).put(name, "entry", strconv.Itoa(i)) })
	var got []int
	last := ""
	for i, each := range answers {
		if each.Status != 201 {
			require.True(t, c.mayRefuse, "%d: %s", each.Status, each.Body)
			continue
		}
		version, err := strconv.Atoi(each.Header.Get("ETag")[1 : len(each.Header.Get("ETag"))-1])
		require.NoError(t, err)
		if got = append(got, version); version == slices.Max(got) {
			last = strconv.Itoa(i)
		}
	}
	slices.Sort(got)
	want := make([]int, len(got))
	kept := make([]uint64, len(got))
	for i := range got {
		want[i], kept[i] = i+1, uint64(len(got)-i)
	}
	require.NotEmpty(t, got)
	require.Equal(t, want, got)
	require.Equal(t, kept, c.root.versionNumbers(name, "entry"))
	require.Equal(t, last, string(c.root.at(c.b).get(name, "entry").expect(200).Body))
}

func raceIfMatch(t *testing.T, c *cluster, name string) {
	c.boxWith(name)
	c.root.put(name, "entry", `"first"`).expect(201)
	answers := c.times(10, func(i int, s *server) *answer {
		return c.root.at(s).put(name, "entry", strconv.Itoa(i), "If-Match", `"1"`)
	})
	c.expectTally(answers, 201, 1, 412, 9)
	c.expectWinner(t, name, answers, 2)
}

func raceIfNoneMatch(t *testing.T, c *cluster, name string) {
	c.boxWith(name)
	answers := c.times(10, func(i int, s *server) *answer {
		return c.root.at(s).put(name, "entry", strconv.Itoa(i), "If-None-Match", `*`)
	})
	c.expectTally(answers, 201, 1, 412, 9)
	c.expectWinner(t, name, answers, 1)
}

// expectWinner checks that exactly one request was answered with 201 and the given version, and that a read returns the
// value of this request.
func (c *cluster) expectWinner(t *testing.T, box string, answers []*answer, version int) {
	t.Helper()
	winner := slices.IndexFunc(answers, func(a *answer) bool { return a.Status == 201 })
	require.GreaterOrEqual(t, winner, 0)
	require.Equal(t, fmt.Sprintf(`"%d"`, version), answers[winner].Header.Get("ETag"))
	read := c.root.at(c.b).get(box, "entry").expect(200)
	require.Equal(t, strconv.Itoa(winner), string(read.Body))
	require.Equal(t, answers[winner].Header.Get("ETag"), read.Header.Get("ETag"))
}

// counted returns the number of entries in a box. This number must be equal to the number in the column entry_count.
func (c *cluster) counted(box string) int {
	c.t.Helper()
	count := len(c.root.state(box).Entries)
	require.Equal(c.t, count, c.number(`SELECT entry_count FROM boxes WHERE name = $1`, box))
	require.Equal(c.t, count, c.number(`SELECT count(*) FROM entries e JOIN boxes b ON b.id = e.box_id
		WHERE b.name = $1 AND e.version > 0 AND e.deleted_at IS NULL`, box))
	return count
}

func raceEntriesLimit(t *testing.T, c *cluster, name string) {
	c.boxWith(name)
	answers := c.times(12, func(i int, s *server) *answer { return c.root.at(s).put(name, fmt.Sprintf("e%d", i), `1`) })
	c.expectTally(answers, 201, 5, 409, 7)
	require.Equal(t, tally(answers)[201], c.counted(name))
}

// raceEntryCount deletes, restores and writes entries concurrently. At the beginning, the box is full. The number of
// entries must never exceed the limit.
func raceEntryCount(t *testing.T, c *cluster, name string) {
	c.boxWith(name)
	for i := range 5 {
		c.root.put(name, fmt.Sprintf("e%d", i), `1`).expect(201)
	}
	c.root.do("DELETE", "/boxes/"+name+"/entries/e4", nil).expect(204)
	c.root.put(name, "e5", `1`).expect(409) // the versions of e4 are kept
	answers := c.times(14, func(i int, s *server) *answer {
		root := c.root.at(s)
		switch {
		case i < 3:
			return root.do("DELETE", fmt.Sprintf("/boxes/%s/entries/e%d", name, i), nil)
		case i < 5:
			return root.do("POST", "/boxes/"+name+"/entries/e4/restore", `{"version":1}`)
		case i < 7:
			return root.put(name, "e3", `2`) // a new version of an existing entry does not count
		default:
			return root.put(name, fmt.Sprintf("new-%d", i), `3`)
		}
	})
	for i, each := range answers {
		require.Contains(t, []int{201, 204, 409, 503}, each.Status, "%d %s", i, each.Body)
	}
	require.LessOrEqual(t, c.counted(name), 5)
	require.LessOrEqual(t, c.number(`SELECT count(*) FROM entries e JOIN boxes b ON b.id = e.box_id
		WHERE b.name = $1 AND e.version > 0`, name), 5)
}

// raceOneEntry sends concurrent requests that delete, restore and write the same entry.
func raceOneEntry(t *testing.T, c *cluster, name string) {
	c.boxWith(name)
	c.root.put(name, "entry", `0`).expect(201)
	answers := c.times(12, func(i int, s *server) *answer {
		root := c.root.at(s)
		switch i % 3 {
		case 0:
			return root.do("DELETE", "/boxes/"+name+"/entries/entry", nil)
		case 1:
			return root.do("POST", "/boxes/"+name+"/entries/entry/restore", `{"version":1}`)
		default:
			return root.put(name, "entry", strconv.Itoa(i))
		}
	})
	written := 1
	for i, each := range answers {
		require.Contains(t, []int{201, 204, 404, 503}, each.Status, "%d %s", i, each.Body)
		if each.Status == 201 {
			written++
		}
	}
	require.Equal(t, written,
		c.number(`SELECT e.version FROM entries e JOIN boxes b ON b.id = e.box_id WHERE b.name = $1`, name))
	if c.counted(name) == 1 {
		c.root.at(c.b).get(name, "entry").expect(200)
		return
	}
	c.root.at(c.b).get(name, "entry").expect(404)
	require.Equal(t, fmt.Sprintf(`"%d"`, written+1), c.root.put(name, "entry", `1`).expect(201).Header.Get("ETag"))
}

// raceNextRequest sends requests of a user to one replica, and then revokes the user's access on the other replica. The
// user's next request to the first replica must be refused.
func raceNextRequest(t *testing.T, c *cluster, name string) {
	user := c.boxWith(name, name+"-u")[0].at(c.b)
	c.root.put(name, "entry", `1`).expect(201)
	member, account := "/boxes/"+name+"/users/"+name+"-u", "/users/"+name+"-u"
	extra := c.b.as(user.do("POST", "/api-keys", nil).expect(200).string("apiKey"))
	password := name + "-u-password"
	session := func() client {
		return c.b.as(c.b.as("").do("POST", "/authenticate",
			`{"username":"`+name+`-u","password":"`+password+`"}`).expect(200).string("token"))
	}
	denied := func(who client, status int, method, path string, body any) {
		busy := c.atOnce(
			c.surely(func() *answer { return who.get(name, "entry") }),
			c.surely(func() *answer { return who.do("GET", "/boxes", nil) }))
		require.Equal(t, map[int]int{200: 2}, tally(busy))
		c.root.do(method, path, body).expect(204)
		who.get(name, "entry").expect(status)
	}
	permit := func() { c.root.do("PUT", member+"/permissions", `["readEntry"]`).expect(204) }

	denied(extra, 401, "DELETE", "/api-keys/"+extra.token, nil)
	denied(session(), 403, "PUT", member+"/permissions", `["createEntry"]`)
	permit()
	denied(user, 403, "DELETE", member+"/permissions", nil)
	permit()
	denied(user, 404, "PUT", member, `{"isActive":false}`)
	c.root.do("PUT", member, `{"isActive":true}`).expect(204)
	denied(session(), 404, "DELETE", member, nil)
	c.root.do("POST", "/boxes/"+name+"/users", `{"username":"`+name+`-u"}`).expect(201)
	denied(session(), 401, "PUT", account, `{"password":"another-password"}`)
	password = "another-password"
	denied(user, 401, "PUT", account, `{"isActive":false}`)
	c.root.do("PUT", account, `{"isActive":true}`).expect(204)
	denied(session(), 401, "DELETE", account, nil)
}
