//go:build e2e

package e2e

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestKeysAreNotProbedWithoutAnEvent sends every probe for three keys: one with a value, a deleted one and one that was
// never used. It does so for every set of permissions without readEntryKeys. An answer that reveals the state of the
// key must cause an audit event with the outcome denied.
func TestKeysAreNotProbedWithoutAnEvent(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	// If the server refuses several requests of a member in one box, it may write a single event for all of them. Each
	// probe therefore has its own box, and each set of permissions has its own member.
	box := func(i int) string { return fmt.Sprintf("box%d", i) }
	for i := range probes {
		root.box(box(i))
		root.put(box(i), "used", `1`).expect(201)
		root.put(box(i), "deleted", `1`).expect(201)
		root.do("DELETE", "/boxes/"+box(i)+"/entries/deleted", nil).expect(204)
	}
	for set := range 8 {
		username := fmt.Sprintf("user%d", set)
		user := root.user(username)
		var permissions []string
		for i, name := range []string{"readEntry", "createEntry", "deleteEntry"} {
			if set>>i&1 == 1 {
				permissions = append(permissions, name)
			}
		}
		for i, probe := range probes {
			root.share(box(i), username)
			root.permit(box(i), username, permissions...)
			newest := func() auditLine { return root.audit("/boxes/"+box(i)+"/audit", "?limit=1").Events[0] }
			answers := map[string]string{}
			audited := map[string]bool{}
			for _, key := range []string{"used", "deleted", "unused"} {
				path, body := probe.path, any(nil)
				if probe.body == "" || path != "" {
					path = fmt.Sprintf(path, key)
				}
				if probe.body != "" {
					body = probe.body
					if path == "" {
						body = fmt.Sprintf(probe.body, key)
					}
				}
				before := newest()
				got := user.do(probe.method, "/boxes/"+box(i)+"/entries"+path, body, probe.headers...)
				require.GreaterOrEqual(t, got.Status, 400, "%s %v %s", probe.name, permissions, key)
				answers[key] = fmt.Sprint(got.Status, got.code())
				event := newest()
				audited[key] = event.ID != before.ID
				if audited[key] {
					assert.Equal(t, "denied", event.Outcome, "%s %v %s", probe.name, permissions, key)
					assert.Equal(t, key, *event.Key, "%s %v", probe.name, permissions)
				}
			}
			for key, answer := range answers {
				// If the answer for a key differs from the answer for the unused key, this answer reveals the state of
				// the key. A 404 reveals that a key is unused, but 400 encryption_key_required does not.
				differs := answer != answers["unused"] || key == "unused" && answer[:3] == "404"
				if differs && (answers["used"] != answers["unused"] || answers["deleted"] != answers["unused"]) {
					assert.True(t, audited[key], "%s %v %s: %v", probe.name, permissions, key, answers)
				}
			}
		}
	}
}
