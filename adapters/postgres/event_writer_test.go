package postgres_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/postgres"
	"github.com/lockbox-go/lockbox/adapters/postgres/batch"
	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// blockEvents blocks all inserts of events until the returned function is called.
func blockEvents(t *testing.T, url string) (release func()) {
	t.Helper()
	return hold(t, url, `LOCK TABLE events IN EXCLUSIVE MODE`)
}

// fill writes each event in its own goroutine. It returns a function that waits for all writes and returns their
// errors.
func fill(t *testing.T, writer *postgres.EventWriter, events []domain.Event) (outcomes func() []error) {
	t.Helper()
	errs := make([]error, len(events))
	var group sync.WaitGroup
	var started atomic.Int64
	for i := range events {
		group.Go(func() {
			started.Add(1)
			errs[i] = writer.Write(context.Background(), events[i])
		})
	}
	for started.Load() < int64(len(events)) {
		time.Sleep(time.Millisecond)
	}
	return func() []error {
		group.Wait()
		return errs
	}
}

func events(t *testing.T, count int) []domain.Event {
	t.Helper()
	list := make([]domain.Event, count)
	for i := range list {
		list[i] = event(t, fmt.Sprint(i))
	}
	return list
}

func TestEventsOfConcurrentRequestsAreCommittedTogether(t *testing.T) {
	t.Parallel()
	store, url := openStore(t, nil)
	writer := store.NewEventWriter()
	defer writer.Close()
	require.NoError(t, writer.Write(t.Context(), event(t, "single")))
	require.Equal(t, batch.Stats{Done: 1, Batches: 1}, store.Stats().Events)

	release := blockEvents(t, url)
	outcomes := fill(t, writer, events(t, 300))
	time.Sleep(100 * time.Millisecond) // some writes enter a batch, and the others wait in the queue
	release()
	for _, err := range outcomes() {
		require.NoError(t, err)
	}
	stats := store.Stats().Events
	require.Equal(t, int64(301), stats.Done)
	require.Less(t, stats.Batches, int64(20))
	require.Equal(t, []string{"301"}, pgtest.Column(t, url, `SELECT count(*)::text FROM events`))
}

func TestTheEventQueueIsBounded(t *testing.T) {
	t.Parallel()
	store, url := openStore(t, nil)
	writer := store.NewEventWriter()
	defer writer.Close()
	release := blockEvents(t, url)
	const many = 6000
	outcomes := fill(t, writer, events(t, many))
	for deadline := time.Now().Add(5 * time.Second); store.Stats().Events.Refused == 0; time.Sleep(time.Millisecond) {
		require.True(t, time.Now().Before(deadline), "%+v", store.Stats().Events)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, writer.Write(ctx, event(t, "gives up")), domain.Unavailable)
	release()
	kept, refused := 0, 0
	for _, err := range outcomes() {
		if err == nil {
			kept++
			continue
		}
		require.ErrorIs(t, err, domain.Unavailable)
		refused++
	}
	require.Positive(t, refused)
	require.Equal(t, many, kept+refused)
	require.GreaterOrEqual(t, kept, 4096)
}

func TestCloseCommitsQueuedEvents(t *testing.T) {
	t.Parallel()
	store, url := openStore(t, nil)
	writer := store.NewEventWriter()
	release := blockEvents(t, url)
	outcomes := fill(t, writer, events(t, 50))
	time.Sleep(100 * time.Millisecond) // some writes enter a batch, and the others wait in the queue
	time.AfterFunc(50*time.Millisecond, release)
	writer.Close()
	writer.Close()
	for _, err := range outcomes() {
		require.NoError(t, err)
	}
	require.Equal(t, []string{"50"}, pgtest.Column(t, url, `SELECT count(*)::text FROM events`))
	require.ErrorIs(t, writer.Write(t.Context(), event(t, "late")), domain.Unavailable)
}

// TestABadEventDoesNotFailTheOthers verifies that an invalid event does not fail the other events of its batch. The
// invalid event contains a zero byte. PostgreSQL does not accept zero bytes in text, and rejects the entire statement.
func TestABadEventDoesNotFailTheOthers(t *testing.T) {
	t.Parallel()
	store, url := openStore(t, nil)
	writer := store.NewEventWriter()
	defer writer.Close()
	release := blockEvents(t, url)
	list := events(t, 40)
	list[20].ActorName = "\x00"
	outcomes := fill(t, writer, list)
	time.Sleep(50 * time.Millisecond) // some writes enter a batch, and the others wait in the queue
	release()
	for i, err := range outcomes() {
		require.Equal(t, i == 20, err != nil, "%d: %v", i, err)
	}
	require.Equal(t, []string{"39"}, pgtest.Column(t, url, `SELECT count(*)::text FROM events`))
}

func TestACancelledRequestDoesNotWaitForItsEvent(t *testing.T) {
	t.Parallel()
	store, url := openStore(t, nil)
	writer := store.NewEventWriter()
	defer writer.Close()
	release := blockEvents(t, url)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begin := time.Now()
	require.ErrorIs(t, writer.Write(ctx, event(t, "written after the cancellation")), domain.Unavailable)
	require.Less(t, time.Since(begin), 5*time.Second)
	release()
	require.NoError(t, writer.Write(t.Context(), event(t, "next")))
	require.Len(t, pgtest.Column(t, url, `SELECT target FROM events`), 2)
}
