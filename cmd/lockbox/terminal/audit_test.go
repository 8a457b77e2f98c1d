package terminal

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/client"
)

// TestSubjectOf verifies the column SUBJECT of lockbox audit, for events with and without changes.
func TestSubjectOf(t *testing.T) {
	t.Parallel()
	role := client.EventChange{Property: "role", From: "boxuser", To: "boxadmin"}
	added := client.EventChange{Property: "permissions", To: "readEntryKeys, readEntry"}
	removed := client.EventChange{Property: "owner", From: "anna"}
	for want, event := range map[string]client.Event{
		"-":                                    {},
		"prod/db/password":                     {Box: "prod", Key: "db/password"},
		"prod (4 refusals)":                    {Box: "prod", Suppressed: 4},
		"prod anna [role boxuser -> boxadmin]": {Box: "prod", Target: "anna", Changes: []client.EventChange{role}},
		"prod anna [role boxuser -> boxadmin; permissions readEntryKeys, readEntry]": {Box: "prod", Target: "anna",
			Changes: []client.EventChange{role, added}},
		"prod [no owner, was anna]": {Box: "prod", Changes: []client.EventChange{removed}},
	} {
		require.Equal(t, want, subjectOf(event))
	}
}
