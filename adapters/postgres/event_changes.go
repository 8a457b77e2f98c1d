package postgres

import (
	"encoding/json"
	"fmt"

	"github.com/lockbox-go/lockbox/domain"
)

// storedChange is the JSON form of a domain.Change. The column events.changes holds an array of such objects. Other
// programs may read the column, so the field names are those of the API.
type storedChange struct {
	Property string `json:"property"`
	From     string `json:"from,omitempty"`
	To       string `json:"to,omitempty"`
}

// storedChanges returns nil for an event without changes, such as the read of an entry. The column is then NULL, which
// takes no space.
func storedChanges(event *domain.Event) []byte {
	if len(event.Changes) == 0 {
		return nil
	}
	stored := make([]storedChange, len(event.Changes))
	for i, change := range event.Changes {
		stored[i] = storedChange{Property: change.Property.String(), From: change.From, To: change.To}
	}
	text, _ := json.Marshal(stored) // encoding strings cannot fail
	return text
}

// changesOf parses the column events.changes. The column is NULL for an event without changes. changesOf ignores
// unknown fields, because a newer release may have stored them.
func changesOf(text []byte) ([]domain.Change, error) {
	if text == nil {
		return nil, nil
	}
	var stored []storedChange
	if err := json.Unmarshal(text, &stored); err != nil {
		return nil, fmt.Errorf("parse the changes of an audit event: %w", err)
	}
	changes := make([]domain.Change, len(stored))
	for i, each := range stored {
		changes[i] = domain.Change{Property: domain.RestoreProperty(each.Property), From: each.From, To: each.To}
	}
	return changes, nil
}
