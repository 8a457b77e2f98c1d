package gate_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/gate"
	"github.com/lockbox-go/lockbox/tests/usecases"
)

// recorded is an event writer that stores events in memory.
type recorded struct {
	mu     sync.Mutex
	events []domain.Event
	err    error
}

func (r *recorded) Write(_ context.Context, event domain.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.events = append(r.events, event)
	}
	return r.err
}

// counts returns the number of events and the number of refusals that these events represent. It groups the refusals by
// actor, action and box.
func (r *recorded) counts() (refusals map[string]int, events int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	refusals = make(map[string]int)
	for _, event := range r.events {
		refusals[fmt.Sprint(event.ActorName, " ", event.Action, " ", event.BoxName)] += max(1, event.Suppressed)
	}
	return refusals, len(r.events)
}

// refuser refuses actions of callers.
type refuser struct {
	*testing.T
	gate    *gate.Gate
	clock   *usecases.Clock
	written *recorded
}

func newRefuser(t *testing.T) *refuser {
	r := &refuser{T: t, clock: &usecases.Clock{}, written: &recorded{}}
	r.gate = gate.New(gate.Config{Events: r.written, Clock: r.clock, IDs: usecases.Parts{}.IDs})
	return r
}

// refuse passes n refusals of the action to the gate.
func (r *refuser) refuse(n int, actor byte, action domain.Action, box string, cause error) {
	r.Helper()
	caller := domain.Caller{UserID: domain.UserID{actor}, Name: domain.UserName(fmt.Sprint("user", actor))}
	if actor == 0 {
		caller = domain.Caller{}
	}
	for range n {
		event := r.gate.Event(action, usecases.From(home), caller)
		if box != "" {
			event = event.About(domain.Box{ID: domain.BoxID{box[0]}, Name: domain.BoxName(box)})
		}
		require.ErrorIs(r, r.gate.Refused(r.Context(), event.On("key"), cause), cause)
	}
}

// TestRepeatedRefusals verifies that the gate writes only a few events for many equal refusals, and that the numbers in
// these events add up to the number of refusals.
func TestRepeatedRefusals(t *testing.T) {
	t.Parallel()
	r := newRefuser(t)
	const free = 10
	for _, each := range []struct {
		actor  byte
		action domain.Action
		box    string
		cause  error
	}{
		{1, domain.ActionReadEntry, "a", domain.ErrPermissionMissing},
		{2, domain.ActionReadEntry, "a", domain.ErrKeyMismatch},
		{1, domain.ActionWriteEntry, "a", domain.ErrPermissionMissing},
		{1, domain.ActionReadEntry, "b", domain.ErrPermissionMissing},
		{1, domain.ActionReadEntry, "", domain.ErrBoxNotFound},
		{3, domain.ActionAddDroplet, "", domain.ErrGroupTooLow},
	} {
		before := len(r.written.events)
		r.refuse(500, each.actor, each.action, each.box, each.cause)
		require.Len(t, r.written.events[before:], free, "%+v", each)
	}
	require.NoError(t, r.gate.FlushRefusals(t.Context()))
	require.Len(t, r.written.events, 6*free, "the minute has not ended")
	r.clock.Advance(time.Minute + time.Second)
	require.NoError(t, r.gate.FlushRefusals(t.Context()))
	refusals, events := r.written.counts()
	require.Equal(t, 6*(free+1), events)
	require.Equal(t, map[string]int{"user1 entry.read a": 500, "user2 entry.read a": 500, "user1 entry.write a": 500,
		"user1 entry.read b": 500, "user1 entry.read ": 500, "user3 droplet.add ": 500}, refusals)
	last := r.written.events[len(r.written.events)-1]
	require.Equal(t, []any{490, domain.OutcomeDenied, domain.EntryKey("key"), home},
		[]any{last.Suppressed, last.Outcome, last.Key, last.Address})

	// In the next minute, each of the first refusals has its own event again.
	r.refuse(free, 1, domain.ActionReadEntry, "a", domain.ErrPermissionMissing)
	require.Len(t, r.written.events, 6*(free+1)+free)
	require.NoError(t, r.gate.FlushAllRefusals(t.Context()))
	require.Len(t, r.written.events, 6*(free+1)+free, "nothing was suppressed")
}

// TestRefusalsThatAlwaysHaveAnEvent covers refusals that are never suppressed, so each has an event.
func TestRefusalsThatAlwaysHaveAnEvent(t *testing.T) {
	t.Parallel()
	r := newRefuser(t)
	for _, cause := range []error{domain.ErrWrongCredentials, domain.ErrCodeInvalid, domain.ErrInvitationInvalid,
		domain.ErrWrongCode} {
		before := len(r.written.events)
		r.refuse(100, 1, domain.ActionSetPassword, "", cause)
		require.Len(t, r.written.events[before:], 100, "%v", cause)
	}
	before := len(r.written.events)
	r.refuse(100, 0, domain.ActionReadEntry, "", domain.ErrBoxNotFound)
	require.Len(t, r.written.events[before:], 100, "the caller is unknown")
	for range 100 {
		event := r.gate.Event(domain.ActionReadEntry, usecases.From(home), domain.Caller{UserID: domain.UserID{1}})
		require.NoError(t, r.gate.Audit(t.Context(), event))
	}
	require.Len(t, r.written.events[before:], 200, "successes are never suppressed")
}

// TestRepeatedRefusalsAreNotLost verifies that no suppressed refusal is lost if the audit log fails during a flush, or
// if the server stops.
func TestRepeatedRefusalsAreNotLost(t *testing.T) {
	t.Parallel()
	r := newRefuser(t)
	r.refuse(30, 1, domain.ActionReadEntry, "a", domain.ErrPermissionMissing)
	r.refuse(30, 2, domain.ActionReadEntry, "a", domain.ErrPermissionMissing)
	r.clock.Advance(time.Hour)
	r.written.err = domain.ErrBusy
	require.ErrorContains(t, r.gate.FlushRefusals(t.Context()), "40 suppressed refusals are not in the audit log")
	r.refuse(5, 1, domain.ActionReadEntry, "a", domain.ErrPermissionMissing)
	r.written.err = nil
	require.NoError(t, r.gate.FlushAllRefusals(t.Context()))
	refusals, _ := r.written.counts()
	require.Equal(t, map[string]int{"user1 entry.read a": 35, "user2 entry.read a": 30}, refusals)
}

// TestRepeatedRefusalsUnderConcurrency flushes suppressed refusals while other goroutines add refusals.
func TestRepeatedRefusalsUnderConcurrency(t *testing.T) {
	t.Parallel()
	r := newRefuser(t)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 20 {
				r.refuse(10, 1, domain.ActionReadEntry, "a", domain.ErrPermissionMissing)
				if err := r.gate.FlushAllRefusals(r.Context()); err != nil {
					r.Error(err)
				}
			}
		})
	}
	group.Wait()
	require.NoError(t, r.gate.FlushAllRefusals(t.Context()))
	refusals, _ := r.written.counts()
	require.Equal(t, map[string]int{"user1 entry.read a": 1600}, refusals)
}

// TestTheEventOfDifferentRefusals verifies the event of a window whose refusals differ in key, target or address. The
// event must contain only the values that all these refusals have in common.
func TestTheEventOfDifferentRefusals(t *testing.T) {
	t.Parallel()
	r := newRefuser(t)
	for i := range 15 {
		caller := domain.Caller{UserID: domain.UserID{1}}
		event := r.gate.Event(domain.ActionReadEntry, usecases.From(fmt.Sprint("192.0.2.", i)), caller).
			On(domain.EntryKey(fmt.Sprint("key", i))).To("target")
		require.Error(t, r.gate.Refused(t.Context(), event, domain.ErrPermissionMissing))
	}
	require.NoError(t, r.gate.FlushAllRefusals(t.Context()))
	last := r.written.events[len(r.written.events)-1]
	require.Equal(t, []any{5, domain.EntryKey(""), "", "target"},
		[]any{last.Suppressed, last.Key, last.Address, last.Target})
}
