package e2e

import (
	"testing"
)

// probes lists requests that the server refuses. The kind of the refusal can reveal whether the entry exists.
var probes = []struct {
	name, method, path, body string
	headers                  []string
}{
	{"delete If-Match", "DELETE", "/%s", "", []string{"If-Match", `"99"`}},
	{"delete If-None-Match", "DELETE", "/%s", "", []string{"If-None-Match", "*"}},
	{"write If-Match", "POST", "", `{"key":"%s","value":1}`,
		[]string{"If-Match", `"99"`, "X-Encryption-Key", generatedKey}},
	{"write If-None-Match without a key", "POST", "", `{"key":"%s","value":1}`, []string{"If-None-Match", "*"}},
	{"read If-Match", "GET", "/%s", "", []string{"If-Match", `"99"`, "X-Encryption-Key", generatedKey}},
	{"read of a version", "GET", "/%s?version=99", "", []string{"X-Encryption-Key", generatedKey}},
	{"read under another key", "GET", "/%s", "", []string{"X-Encryption-Key", otherKey}},
	{"HEAD of a version", "HEAD", "/%s?version=99", "", []string{"X-Encryption-Key", generatedKey}},
	{"versions", "GET", "/%s/versions", "", nil},
	{"restore", "POST", "/%s/restore", `{"version":99}`, nil},
	{"restore If-Match", "POST", "/%s/restore", `{"version":1}`, []string{"If-Match", `"99"`}},
}

// TestLockoutHidesKeys causes a lockout with wrong passphrases. During the lockout, the answer must not reveal whether
// an entry exists.
func TestLockoutHidesKeys(t *testing.T) {
	t.Parallel()
	s := start(t, "THROTTLE_FREE_ATTEMPTS=3")
	root := s.initialize()
	root.box("default")
	root.do("POST", "/boxes/default/entries", `{"key":"used","value":1}`, "X-Encryption-Key", "right").expect(201)
	for {
		if got := root.get("default", "used", "X-Encryption-Key", "wrong"); got.Status != 403 {
			got.expect(429)
			break
		}
	}
	for _, path := range []string{"used", "unused", "used?version=99", "unused?version=99"} {
		root.get("default", path, "X-Encryption-Key", "right").expect(429)
	}
	root.get("default", "unused").expect(404) // generated keys are not counted
}
