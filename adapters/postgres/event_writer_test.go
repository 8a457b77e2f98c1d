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
	"github.com/lockbox-go/lockbox/domain"
)

// stopEvents lets nobody write events until the function that it returns is called.
func stopEvents(t *testing.T, url string) (release func()) {
	t.Helper()
	return hold(t, url, `LOCK TABLE events IN EXCLUSIVE MODE`)
}

// fill begins to write so many events and returns when all of them wait, and a function that waits for their outcomes.
func fill(t *testing.T, writer *postgres.EventWriter, events []domain.Event) (outcomes func() []error) {
	t.Helper()
	errs := make([]error, len(events))
	var group sync.WaitGroup
	var begun atomic.Int64
	for i := range events {
		group.Go(func() {
			begun.Add(1)
			errs[i] = writer.Write(context.Background(), events[i])
		})
	}
	for begun.Load() < int64(len(events)) {
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
	require.NoError(t, writer.Write(t.Context(), event(t, "alone")))
	require.Equal(t, postgres.GathererStats{Done: 1, Batches: 1}, writer.Stats())

	release := stopEvents(t, url)
	outcomes := fill(t, writer, events(t, 300))
	time.Sleep(100 * time.Millisecond)
	release()
	for _, err := range outcomes() {
		require.NoError(t, err)
	}
	stats := writer.Stats()
	require.Equal(t, int64(301), stats.Done)
	require.Less(t, stats.Batches, int64(20))
	require.Equal(t, []string{"301"}, rows(t, url, `SELECT count(*)::text FROM events`))
}

func TestTheQueueOfEventsIsBounded(t *testing.T) {
	t.Parallel()
	store, url := openStore(t, nil)
	writer := store.NewEventWriter()
	defer writer.Close()
	release := stopEvents(t, url)
	const many = 6000
	outcomes := fill(t, writer, events(t, many))
	for deadline := time.Now().Add(5 * time.Second); writer.Stats().Refused == 0; time.Sleep(time.Millisecond) {
		require.True(t, time.Now().Before(deadline), "%+v", writer.Stats())
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

func TestCloseCommitsWhatWaits(t *testing.T) {
	t.Parallel()
	store, url := openStore(t, nil)
	writer := store.NewEventWriter()
	release := stopEvents(t, url)
	outcomes := fill(t, writer, events(t, 50))
	time.Sleep(100 * time.Millisecond) // they wait by now, some in a batch
	time.AfterFunc(50*time.Millisecond, release)
	writer.Close()
	writer.Close()
	for _, err := range outcomes() {
		require.NoError(t, err)
	}
	require.Equal(t, []string{"50"}, rows(t, url, `SELECT count(*)::text FROM events`))
	require.ErrorIs(t, writer.Write(t.Context(), event(t, "late")), domain.Unavailable)
}

// TestOneBadEventCostsNobodyElse: PostgreSQL takes no zero byte in text, and refuses the whole statement.
func TestOneBadEventCostsNobodyElse(t *testing.T) {
	t.Parallel()
	store, url := openStore(t, nil)
	writer := store.NewEventWriter()
	defer writer.Close()
	release := stopEvents(t, url)
	list := events(t, 40)
	list[20].ActorName = "\x00"
	outcomes := fill(t, writer, list)
	time.Sleep(50 * time.Millisecond)
	release()
	for i, err := range outcomes() {
		require.Equal(t, i == 20, err != nil, "%d: %v", i, err)
	}
	require.Equal(t, []string{"39"}, rows(t, url, `SELECT count(*)::text FROM events`))
}

func TestARequestThatEndsDoesNotWaitForItsEvent(t *testing.T) {
	t.Parallel()
	store, url := openStore(t, nil)
	writer := store.NewEventWriter()
	defer writer.Close()
	release := stopEvents(t, url)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begin := time.Now()
	require.ErrorIs(t, writer.Write(ctx, event(t, "on record all the same")), domain.Unavailable)
	require.Less(t, time.Since(begin), 5*time.Second)
	release()
	require.NoError(t, writer.Write(t.Context(), event(t, "next")))
	require.Len(t, rows(t, url, `SELECT target FROM events`), 2)
}
