package gate_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/gate"
	"github.com/lockbox-go/lockbox/ports"
)

// slowEvents is a store whose searches block until the test sends to the channel "release" or closes this channel.
type slowEvents struct {
	ports.Store
	ports.Events
	running, most atomic.Int32
	started       chan domain.UserName
	release       chan struct{}
}

func (s *slowEvents) Read() ports.Repos { return ports.Repos{Events: s} }

func (s *slowEvents) List(_ context.Context, filter ports.EventFilter) (ports.EventPage, error) {
	now := s.running.Add(1)
	defer s.running.Add(-1)
	for most := s.most.Load(); now > most && !s.most.CompareAndSwap(most, now); most = s.most.Load() {
	}
	if filter.Actor != "" {
		s.started <- filter.Actor
		<-s.release
	}
	return ports.EventPage{}, nil
}

func newSearches() (*slowEvents, *gate.Gate) {
	events := &slowEvents{started: make(chan domain.UserName, 100), release: make(chan struct{})}
	return events, gate.New(gate.Config{Store: events})
}

// search searches the audit log for the given user. The test identifies the search by the name in its filter.
func search(ctx context.Context, g *gate.Gate, user byte, name domain.UserName) error {
	_, err := g.Events(ctx, domain.UserID{user}, ports.EventFilter{Actor: name, Limit: 1})
	return err
}

func TestTwoSearchesRunAtOnceOfDifferentUsers(t *testing.T) {
	t.Parallel()
	events, g := newSearches()
	var group sync.WaitGroup
	run := func(user byte, name domain.UserName) {
		group.Go(func() {
			if err := search(t.Context(), g, user, name); err != nil {
				t.Error(name, err)
			}
		})
	}
	run(1, "first of 1")
	require.Equal(t, domain.UserName("first of 1"), <-events.started)
	for range 3 {
		run(1, "next of 1")
	}
	run(2, "first of 2")
	require.Equal(t, domain.UserName("first of 2"), <-events.started, "a user has only one search")
	_, err := g.Events(t.Context(), domain.UserID{1}, ports.EventFilter{Limit: 1})
	require.NoError(t, err, "a list without a filter is no search")
	close(events.release)
	group.Wait()
	require.LessOrEqual(t, events.most.Load(), int32(3), "two searches and the list")
	require.Len(t, events.started, 3)
}

func TestSearchesThatCannotRun(t *testing.T) {
	t.Parallel()
	events, g := newSearches()
	var group sync.WaitGroup
	for user := range byte(2) {
		group.Go(func() { _ = search(t.Context(), g, user, "first") })
		<-events.started
	}
	begin := time.Now()
	require.ErrorIs(t, search(t.Context(), g, 7, "waits"), domain.Unavailable)
	require.Greater(t, time.Since(begin), time.Second)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, search(ctx, g, 7, "cancelled"), domain.Unavailable)

	// One user cannot fill the queue.
	refused := make(chan error, 20)
	ctx, cancel = context.WithCancel(t.Context())
	for range cap(refused) {
		group.Go(func() { refused <- search(ctx, g, 7, "many") })
	}
	for range 12 {
		require.ErrorIs(t, <-refused, domain.Unavailable, "immediately")
	}
	cancel()
	close(events.release)
	group.Wait()
	require.NoError(t, search(t.Context(), g, 7, "later"))
}
