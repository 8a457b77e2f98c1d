package storage

import (
	"context"
	"fmt"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

func eventsAppendAndList(f *fixture) {
	o := f.office()
	event := domain.Event{
		ID:         f.id(),
		At:         f.now,
		Action:     domain.ActionWriteEntry,
		Outcome:    domain.OutcomeDenied,
		Actor:      o.owner.ID,
		ActorName:  "owner",
		Credential: o.credentials[0].ID,
		Box:        o.box.ID,
		BoxName:    o.box.Name,
		Key:        "entry",
		Target:     "target",
		RequestID:  "request",
		Address:    "192.0.2.1",
		Suppressed: 7,
		Changes: []domain.Change{{Property: domain.PropertyRole, From: "user", To: "admin"},
			{Property: domain.PropertyOwner, To: `"quoted" \ ü`}, {Property: domain.PropertyState, From: "active"}},
	}
	f.do(func(ctx context.Context, repos ports.Repos) error { return repos.Events.Append(ctx, event) })
	bare := f.event("bare").Changed(domain.PasswordChange(true))
	require.NoError(f, f.Store.Events.Write(f.Context(), bare))
	list, err := f.Read().Events.List(f.Context(), ports.EventFilter{Limit: 10})
	require.NoError(f, err)
	require.Equal(f, []domain.Event{bare, event}, list.Events)

	// An event must remain after the deletion of the box and the user that it names.
	require.NoError(f, f.Read().Boxes.Delete(f.Context(), o.box.ID))
	require.NoError(f, f.Read().Users.Delete(f.Context(), o.owner.ID))
	list, err = f.Read().Events.List(f.Context(), ports.EventFilter{Box: o.box.ID, Limit: 10})
	require.NoError(f, err)
	require.Equal(f, []domain.Event{event}, list.Events)

	// A unit of work must fail if it appends an event with the identifier of a stored event. It must then store none of
	// its events.
	require.Error(f, f.Do(f.Context(), func(ctx context.Context, repos ports.Repos) error {
		require.NoError(f, repos.Events.Append(ctx, f.event("lost")))
		return repos.Events.Append(ctx, event)
	}))
	require.Equal(f, []string{"target", "bare"}, f.targets())
}

func eventFilters(f *fixture) {
	box := domain.Box{ID: f.id(), Name: "box"}
	events := make([]domain.Event, 6)
	for i := range events {
		events[i] = f.event(fmt.Sprint(i))
		if i%2 == 0 {
			events[i] = events[i].About(box)
		}
		if i%3 == 0 {
			events[i].Action = domain.ActionDeleteEntry
			events[i].ActorName = "actor"
		}
		require.NoError(f, f.Read().Events.Append(f.Context(), events[i]))
	}
	for _, c := range []struct {
		filter ports.EventFilter
		want   []int
	}{
		{ports.EventFilter{Limit: 3}, []int{5, 4, 3}},
		{ports.EventFilter{Limit: 9, Before: events[2].ID}, []int{1, 0}},
		{ports.EventFilter{Limit: 9, Box: box.ID}, []int{4, 2, 0}},
		{ports.EventFilter{Limit: 9, Action: domain.ActionDeleteEntry}, []int{3, 0}},
		{ports.EventFilter{Limit: 9, Actor: "actor"}, []int{3, 0}},
		{ports.EventFilter{
			Limit:  9,
			Actor:  "actor",
			Box:    box.ID,
			Before: events[5].ID,
		}, []int{0}},
		{ports.EventFilter{Limit: 9, Actor: "unknown"}, []int{}},
	} {
		list, err := f.Read().Events.List(f.Context(), c.filter)
		require.NoError(f, err)
		want := make([]domain.Event, len(c.want))
		for i, n := range c.want {
			want[i] = events[n]
		}
		require.Equal(f, want, list.Events, "%+v", c.filter)
	}
}

// eventPages reads the audit log page by page with different filters. The pages must contain each matching event once,
// in order. The last page must not refer to another page.
func eventPages(f *fixture) {
	box := domain.Box{ID: f.id(), Name: "box"}
	for i := range 25 {
		event := f.event(fmt.Sprint(i))
		if i%2 == 0 {
			event = event.About(box)
		}
		if i%5 == 0 {
			event.ActorName = "actor"
		}
		require.NoError(f, f.Read().Events.Append(f.Context(), event))
	}
	for _, c := range []struct {
		filter ports.EventFilter
		want   int
	}{
		{ports.EventFilter{}, 25},
		{ports.EventFilter{Box: box.ID}, 13},
		{ports.EventFilter{Actor: "actor"}, 5},
		{ports.EventFilter{Actor: "actor", Box: box.ID}, 3},
		{ports.EventFilter{Action: domain.ActionReadEntry}, 25},
		{ports.EventFilter{Action: domain.ActionDeleteBox}, 0},
	} {
		for _, limit := range []int{1, 3, 5, 25, 26} {
			c.filter.Limit, c.filter.Before = limit, domain.EventID{}
			seen := make(map[domain.EventID]bool)
			for {
				page, err := f.Read().Events.List(f.Context(), c.filter)
				require.NoError(f, err)
				require.LessOrEqual(f, len(page.Events), limit)
				for _, event := range page.Events {
					require.False(f, seen[event.ID])
					seen[event.ID] = true
				}
				if page.Next.IsZero() {
					break
				}
				c.filter.Before = page.Next
			}
			require.Len(f, seen, c.want, "%+v", c.filter)
		}
	}
}

func eventWriterConcurrent(f *fixture) {
	const n = 200
	var group sync.WaitGroup
	for i := range n {
		event := f.event(fmt.Sprint(i))
		group.Go(func() {
			if err := f.Store.Events.Write(f.Context(), event); err != nil {
				f.Errorf("write: %v", err)
			}
		})
	}
	group.Wait()
	require.Len(f, f.targets(), n, "Write returns after the commit")
}

func eventWriterCancelled(f *fixture) {
	ctx, cancel := context.WithCancel(f.Context())
	cancel()
	err := f.Store.Events.Write(ctx, f.event("cancelled"))
	if err != nil { // the commit may be faster
		require.ErrorIs(f, err, domain.Unavailable)
	}
	require.NoError(f, f.Store.Events.Write(f.Context(), f.event("next")))
	require.Equal(f, []string{"cancelled", "next"}, f.targets(), "a cancelled request is audited too")
}
