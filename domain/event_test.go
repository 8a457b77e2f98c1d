package domain_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
)

func TestActions(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, action := range domain.Actions() {
		require.False(t, seen[action.String()], action)
		seen[action.String()] = true
		require.Regexp(t, `^[a-z-]+\.[a-z-]+$`, action.String())
		got, err := domain.ParseAction(action.String())
		require.NoError(t, err)
		require.Equal(t, action, got)
		require.Equal(t, action, domain.RestoreAction(action.String()))
	}
	for _, text := range []string{"", "entry", "Entry.Read", "entry.read "} {
		_, err := domain.ParseAction(text)
		requireRefusal(t, err, domain.Invalid, "unknown_action", "action")
	}
	require.Equal(t, "box.forgotten", domain.RestoreAction("box.forgotten").String(),
		"an action of an older release is kept")
	require.Equal(t, domain.OutcomeDenied, domain.RestoreOutcome("denied"))
}

func TestNewEvent(t *testing.T) {
	t.Parallel()
	caller := user
	caller.Credential.ID = domain.CredentialID{7}
	by := domain.Requester{RequestID: "the-request", Address: "192.0.2.1"}
	event := domain.NewEvent(domain.EventID{1}, domain.ActionReadEntry, by, caller, now)
	want := domain.Event{
		ID:         domain.EventID{1},
		At:         now,
		Action:     domain.ActionReadEntry,
		Outcome:    domain.OutcomeSuccess,
		Actor:      userID,
		ActorName:  "user",
		Credential: domain.CredentialID{7},
		RequestID:  "the-request",
		Address:    "192.0.2.1",
	}
	require.Equal(t, want, event)

	whole := event.About(testBox).On("a/b").To("anna").Ended(domain.OutcomeDenied)
	want.Box, want.BoxName, want.Key = testBox.ID, "default", "a/b"
	want.Target, want.Outcome = "anna", domain.OutcomeDenied
	require.Equal(t, want, whole)
	require.Equal(t, domain.OutcomeSuccess, event.Outcome, "each method returns a copy")
}

// TestReservedActors verifies that no user can take the actor name of the operator or of the service.
func TestReservedActors(t *testing.T) {
	t.Parallel()
	for _, name := range []string{domain.OperatorActor, domain.ServiceActor} {
		_, err := domain.ParseUserName(name)
		require.Error(t, err)
	}
}
