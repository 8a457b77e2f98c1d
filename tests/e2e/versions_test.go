package e2e

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

type versionLine struct {
	Version   uint64  `json:"version"`
	Author    *string `json:"author"`
	CreatedAt string  `json:"createdAt"`
	Current   bool    `json:"current"`
}

// The versions method lists the versions of an entry. Each element consists of the version number, the author or
// "none", and "current" or "old".
func (c client) versions(box, key string) []string {
	c.server.t.Helper()
	var list []string
	for _, line := range read[[]versionLine](c.do("GET", "/boxes/"+box+"/entries/"+key+"/versions",
		nil).expect(200).isJSON()) {
		author, state := "none", "old"
		if line.Author != nil {
			author = *line.Author
		}
		if line.Current {
			state = "current"
		}
		require.Regexp(c.server.t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`, line.CreatedAt)
		list = append(list, fmt.Sprint(line.Version, " ", author, " ", state))
	}
	return list
}

func (c client) restore(box, key string, version int, headers ...string) *answer {
	c.server.t.Helper()
	return c.do("POST", "/boxes/"+box+"/entries/"+key+"/restore", fmt.Sprintf(`{"version":%d}`, version), headers...)
}

func TestVersions(t *testing.T) {
	t.Parallel()
	root := withBox(t)
	user := root.user("user1")
	root.share("default", "user1", "createEntry")
	root.put("default", "a/b", `1`).expect(201)
	user.put("default", "a/b", `2`).expect(201)
	root.put("default", "a/b", `3`).expect(201)
	require.Equal(t, []string{"3 root current", "2 user1 old", "1 root old"}, root.versions("Default", "A%2fB"))
	root.do("DELETE", "/users/user1", nil).expect(204)
	require.Equal(t, []string{"3 root current", "2 none old", "1 root old"}, root.versions("default", "a%2Fb"))
	root.do("DELETE", "/boxes/default/entries/a%2Fb", nil).expect(204)
	require.Equal(t, []string{"3 root old", "2 none old", "1 root old"}, root.versions("default", "a%2Fb"),
		"a deleted entry has no current one")
	root.do("GET", "/boxes/default/entries/unknown/versions", nil).refuses(404, "entry_not_found")
}

// TestNumberOfKeptVersions covers the setting LOCKBOX_ENTRY_VERSIONS.
func TestNumberOfKeptVersions(t *testing.T) {
	t.Parallel()
	for setting, kept := range map[string]int{"ENTRY_VERSIONS=1": 1, "ENTRY_VERSIONS=3": 3, "ENTRY_VERSIONS=0": 12,
		"ENTRY_VERSIONS=10": 10} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			root := withBox(t, setting)
			for i := 1; i <= 12; i++ {
				require.Equal(t, fmt.Sprintf(`"%d"`, i),
					root.put("default", "key", fmt.Sprint(i)).expect(201).Header.Get("ETag"))
			}
			require.Len(t, root.versions("default", "key"), kept)
			root.get("default", fmt.Sprintf("key?version=%d", 13-kept)).is(fmt.Sprint(13 - kept))
			root.get("default", "key").is(`12`)
			if kept < 12 {
				root.get("default", fmt.Sprintf("key?version=%d", 12-kept)).refuses(404, "version_not_found")
				root.restore("default", "key", 12-kept).refuses(404, "version_not_found")
			}
			require.Equal(t, `"13"`, root.restore("default", "key", 13-kept).expect(201).Header.Get("ETag"))
			root.get("default", "key").is(fmt.Sprint(13 - kept))
		})
	}
}

func TestVersionParameter(t *testing.T) {
	t.Parallel()
	root := withBox(t)
	root.put("default", "key", `1`).expect(201)
	for _, bad := range []string{"0", "-1", "1.0", "1e0", "one", "%201", "%2B1", "0x1", "9223372036854775808",
		"99999999999999999999", "%00", "%ff", `%221%22`} {
		t.Run("bad "+bad, func(t *testing.T) {
			t.Parallel()
			root.in(t).get("default", "key?version="+bad).refuses(400, "invalid_version").about("version")
		})
	}
	for _, unknown := range []string{"2", "9223372036854775807"} {
		root.get("default", "key?version="+unknown).refuses(404, "version_not_found")
	}
	root.get("default", "key?version=01").is(`1`)
	root.get("default", "unknown?version=1").refuses(404, "entry_not_found")
	root.get("default", "key?version=1", "X-Encryption-Key", otherKey).refuses(403, "encryption_key_mismatch")
}

func TestRestore(t *testing.T) {
	t.Parallel()
	root := withBox(t)
	root.put("default", "a/b", `"one"`).expect(201)
	root.put("default", "a/b", `"two"`, "X-Encryption-Key", otherKey).expect(201)
	got := root.restore("DEFAULT", "A%2FB", 1).expect(201).isEmpty("").at("/boxes/default/entries/a%2Fb")
	require.Equal(t, `"3"`, got.Header.Get("ETag"))
	root.get("default", "a%2Fb").is(`"one"`)
	root.get("default", "a%2Fb", "X-Encryption-Key", otherKey).refuses(403, "encryption_key_mismatch")
	root.get("default", "a%2Fb?version=2", "X-Encryption-Key", otherKey).is(`"two"`)
	require.Equal(t, `"4"`, root.restore("default", "a%2Fb", 3).expect(201).Header.Get("ETag"),
		"a restored one can be restored")
	require.Equal(t, `"5"`, root.restore("default", "a%2Fb", 2).expect(201).Header.Get("ETag"))
	root.get("default", "a%2Fb", "X-Encryption-Key", otherKey).is(`"two"`)
	require.Equal(t, `"6"`, root.restore("default", "a%2Fb", 5).expect(201).Header.Get("ETag"),
		"so can the current one")
	require.Equal(t, []string{"true"}, root.put("default", "a/b", `7`).expect(201).Header["X-Encryption-Key-Changed"],
		"the restored one's key counts")
	require.Len(t, root.versions("default", "a%2Fb"), 7)
}

// TestRestorePassphrase restores a version without sending a passphrase. The restored version must have the passphrase
// of the original version.
func TestRestorePassphrase(t *testing.T) {
	t.Parallel()
	root := withBox(t)
	root.put("default", "key", `1`, "X-Encryption-Key", "correct horse").expect(201)
	root.put("default", "key", `2`, "X-Encryption-Key", "battery staple").expect(201)
	root.restore("default", "key", 1).expect(201)
	root.get("default", "key", "X-Encryption-Key", "correct horse").is(`1`)
	root.get("default", "key", "X-Encryption-Key", "battery staple").refuses(403, "encryption_key_mismatch")
}

// TestRestoreUndeletes deletes an entry and restores an earlier version. The entry must then exist again.
func TestRestoreUndeletes(t *testing.T) {
	t.Parallel()
	root := withBox(t)
	root.put("default", "key", `1`).expect(201)
	root.put("default", "key", `2`, "X-Encryption-Key", otherKey).expect(201)
	root.do("DELETE", "/boxes/default/entries/key", nil).expect(204)
	require.Equal(t, `"3"`, root.restore("default", "key", 2).expect(201).Header.Get("ETag"))
	root.get("default", "key", "X-Encryption-Key", otherKey).is(`2`)
	root.do("GET", "/boxes/default/entries", nil).is(`["key"]`)
	root.do("DELETE", "/boxes/default/entries/key", nil).expect(204)
	root.put("default", "key", `4`).expect(201)
	root.restore("default", "key", 1).expect(201)
	root.get("default", "key").is(`1`)
}

func TestRestoreBadInput(t *testing.T) {
	t.Parallel()
	root := withBox(t)
	root.put("default", "key", `1`).expect(201)
	for body, code := range map[string]string{`{}`: "invalid_version", `null`: "invalid_version",
		`{"version":0}`: "invalid_version", `{"version":null}`: "invalid_version",
		`{"version":-1}`: "wrong_type", `{"version":"1"}`: "wrong_type", `{"version":1.0}`: "wrong_type",
		`{"version":1e0}`: "wrong_type"} {
		t.Run(body, func(t *testing.T) {
			t.Parallel()
			root.in(t).do("POST", "/boxes/default/entries/key/restore", body).refuses(400, code).about("version")
		})
	}
	for _, unknown := range []string{"2", "9223372036854775807", "9223372036854775808", "18446744073709551615"} {
		root.do("POST", "/boxes/default/entries/key/restore", `{"version":`+unknown+`}`).refuses(404,
			"version_not_found")
	}
	root.restore("default", "unknown", 1).refuses(404, "entry_not_found")
	root.restore("unknown", "key", 1).refuses(404, "box_not_found")
}

// TestConditions covers If-Match and If-None-Match for a write, a deletion and a restore of an entry at version 2.
func TestConditions(t *testing.T) {
	t.Parallel()
	root := withBox(t)
	serial := 0
	for name, test := range map[string]struct {
		headers []string
		onTwo   int // 412, or 0 for success
		absent  int
	}{
		"none":                       {nil, 0, 0},
		"the version":                {[]string{"If-Match", `"2"`}, 0, 412},
		"an older one":               {[]string{"If-Match", `"1"`}, 412, 412},
		"a newer one":                {[]string{"If-Match", `"3"`}, 412, 412},
		"among others":               {[]string{"If-Match", `"1", "2" ,"7"`}, 0, 412},
		"any":                        {[]string{"If-Match", `*`}, 0, 412},
		"weak":                       {[]string{"If-Match", `W/"2"`}, 412, 412},
		"no number":                  {[]string{"If-Match", `"abc"`}, 412, 412},
		"empty tag":                  {[]string{"If-Match", `""`}, 412, 412},
		"leading zero":               {[]string{"If-Match", `"02"`}, 412, 412},
		"empty elements":             {[]string{"If-Match", `, "2",,`}, 0, 412},
		"none there":                 {[]string{"If-None-Match", `*`}, 412, 0},
		"not this one":               {[]string{"If-None-Match", `"2"`}, 412, 0},
		"not this one, weakly":       {[]string{"If-None-Match", `W/"2"`}, 412, 0},
		"not another":                {[]string{"If-None-Match", `"1"`}, 0, 0},
		"both hold":                  {[]string{"If-Match", `"2"`, "If-None-Match", `"1"`}, 0, 412},
		"one of both does not hold":  {[]string{"If-Match", `"2"`, "If-None-Match", `"2"`}, 412, 412},
		"neither holds, contrarious": {[]string{"If-Match", `"1"`, "If-None-Match", `*`}, 412, 412},
	} {
		serial++
		key := fmt.Sprint("key-", serial)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := root.in(t)
			holds := func(got *answer, refusal int) bool {
				if refusal != 0 {
					got.refuses(refusal, "precondition_failed")
					return false
				}
				require.Less(t, got.Status, 300, string(got.Body))
				return true
			}
			if holds(c.put("default", key, `1`, test.headers...), test.absent) {
				c.put("default", key, `2`).expect(201)
			} else {
				c.get("default", key).refuses(404, "entry_not_found")
				c.put("default", key, `1`).expect(201)
				c.put("default", key, `2`).expect(201)
			}
			if holds(c.put("default", key, `3`, test.headers...), test.onTwo) {
				return
			}
			holds(c.restore("default", key, 1, test.headers...), test.onTwo)
			holds(c.do("DELETE", "/boxes/default/entries/"+key, nil, test.headers...), test.onTwo)
			c.get("default", key).is(`2`)
		})
	}
}

func TestConditionsOfRestoreAndDelete(t *testing.T) {
	t.Parallel()
	root := withBox(t)
	root.put("default", "key", `1`).expect(201)
	root.restore("default", "key", 1, "If-Match", `"1"`).expect(201)
	root.do("DELETE", "/boxes/default/entries/key", nil, "If-Match", `"2"`).expect(204)
	root.restore("default", "key", 1, "If-Match", `"2"`).refuses(412, "precondition_failed")
	root.restore("default", "key", 1, "If-None-Match", `*`).expect(201)
	root.do("DELETE", "/boxes/default/entries/key", nil, "If-None-Match", `*`).refuses(412, "precondition_failed")
	root.do("DELETE", "/boxes/default/entries/unknown", nil, "If-Match", `"1"`).refuses(404, "entry_not_found")
}

func TestBadConditions(t *testing.T) {
	t.Parallel()
	root := withBox(t)
	root.put("default", "key", `1`).expect(201)
	for _, header := range []string{"If-Match", "If-None-Match"} {
		for _, bad := range []string{`1`, `"1`, `1"`, `'1'`, ``, ` `, `,`, `, ,`, `"1" "2"x`, `W/1`, `*, "1"`} {
			t.Run(header+" "+bad, func(t *testing.T) {
				t.Parallel()
				c := root.in(t)
				c.put("default", "key", `2`, header, bad).refuses(400, "invalid_precondition").about(header)
				c.do("DELETE", "/boxes/default/entries/key", nil, header, bad).refuses(400,
					"invalid_precondition").about(header)
				c.restore("default", "key", 1, header, bad).refuses(400, "invalid_precondition").about(header)
			})
		}
	}
}
