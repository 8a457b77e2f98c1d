package storage

import (
	"context"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// sweep calls a method of the janitor repeatedly. The argument limit is the maximum number of rows per call. sweep
// stops after the first call that deletes fewer rows, and returns the result of each call.
func (f *fixture) sweep(method func(context.Context, time.Time, int) (int, error), before time.Time,
	limit int) (counts []int) {
	f.Helper()
	for {
		count, err := method(f.Context(), before, limit)
		require.NoError(f, err)
		if counts = append(counts, count); count < limit {
			return counts
		}
	}
}

func janitorAccounts(f *fixture) {
	user := f.addUser("user")
	f.do(func(ctx context.Context, repos ports.Repos) error {
		for i := range 7 {
			ends := f.now.Add(time.Duration(i-5) * time.Hour) // five have expired
			require.NoError(f, repos.Sessions.Add(ctx, domain.Session{
				ID:        f.id(),
				User:      user.ID,
				SignedBy:  f.keys[domain.KeyForSessions],
				CreatedAt: f.now,
				ExpiresAt: ends,
			}))
			require.NoError(f, repos.APIKeys.Add(ctx, domain.APIKey{
				ID:        f.id(),
				User:      user.ID,
				SignedBy:  f.keys[domain.KeyForAPIKeys],
				CreatedAt: f.now,
				ExpiresAt: ends,
			}))
			require.NoError(f, repos.TokenFamilies.Add(ctx, domain.TokenFamily{
				ID:        f.id(),
				User:      user.ID,
				Keys:      f.tokenKeys(),
				CreatedAt: f.now,
				ExpiresAt: ends,
			}))
		}
		return nil
	})
	forever := f.addAPIKey(user)
	revoked, pair := f.addFamily(user, "revoked")
	require.NoError(f, f.Read().TokenFamilies.Revoke(f.Context(), revoked.ID, f.now.Add(-time.Second)))
	require.Equal(f, []int{2, 2, 1}, f.sweep(f.DeleteEndedSessions, f.now, 2))
	require.Equal(f, []int{2, 2, 1}, f.sweep(f.DeleteEndedAPIKeys, f.now, 2))
	require.Equal(f, []int{2, 2, 2, 0}, f.sweep(f.DeleteEndedFamilies, f.now, 2))
	keys, err := f.Read().APIKeys.List(f.Context(), user.ID)
	require.NoError(f, err)
	require.Len(f, keys, 3)
	require.Equal(f, forever.ID, keys[2].ID)
	require.ErrorIs(f, f.Do(f.Context(), func(ctx context.Context, repos ports.Repos) error {
		_, _, err := repos.TokenFamilies.LockByRefresh(ctx, user.ID, pair.Refresh)
		return err
	}), domain.NotFound, "token pairs are deleted together with their token family")
}

func janitorAttempts(f *fixture) {
	old := f.now.Add(-domain.AttemptWindow - time.Minute)
	counts := map[string]domain.Attempts{
		"old":     {Failures: 1, LastAt: old},
		"fresh":   {Failures: 1, LastAt: f.now.Add(-domain.AttemptWindow + time.Minute)},
		"blocked": {Failures: 9, LastAt: old, BlockedUntil: f.now.Add(time.Hour)},
		"lately":  {Failures: 9, LastAt: old, BlockedUntil: f.now.Add(-time.Minute)},
		"never":   {},
		"month":   {Failures: 1, LastAt: old},
	}
	for name, count := range counts {
		f.do(func(ctx context.Context, repos ports.Repos) error {
			counter := ports.CounterKey{Key: digest(name)}
			if name == "month" {
				counter.Keep = 24 * time.Hour
			}
			_, err := repos.Attempts.Lock(ctx, ports.AttemptQuery{Counters: []ports.CounterKey{counter}})
			require.NoError(f, err)
			return repos.Attempts.Save(ctx, ports.CounterState{CounterKey: counter, Attempts: count})
		})
	}
	require.Equal(f, []int{2, 0}, f.sweep(f.DeleteOldAttempts, f.now, 2))
	for name, count := range counts {
		found := f.peek(digest(name))
		if name == "old" {
			count = domain.Attempts{}
		}
		require.Equal(f, count, found, name)
	}
	f.sweep(f.DeleteOldAttempts, f.now.Add(23*time.Hour), 10)
	require.NotZero(f, f.peek(digest("month")), "the counter is kept for a day")
	f.sweep(f.DeleteOldAttempts, f.now.Add(25*time.Hour), 10)
	require.Zero(f, f.peek(digest("month")))
	for name, until := range map[string]time.Duration{"a": -time.Second, "b": time.Hour} {
		require.NoError(f, f.Read().Attempts.Remember(f.Context(), digest(name), f.now.Add(until)))
	}
	require.Equal(f, []int{1}, f.sweep(f.DeleteKnownAddresses, f.now, 2))
}

func janitorEvents(f *fixture) {
	for i := range 5 {
		old := f.event("old")
		old.ID = domain.EventID{1, byte(i)} // an identifier of version 7 begins with the time
		require.NoError(f, f.Read().Events.Append(f.Context(), old))
	}
	require.NoError(f, f.Read().Events.Append(f.Context(), f.event("new")))
	require.Equal(f, []int{2, 2, 1}, f.sweep(f.DeleteOldEvents, f.now.Add(-time.Hour), 2))
	require.Equal(f, []string{"new"}, f.targets())
	late := f.event("late")
	late.ID = domain.EventID{1, 0}
	require.NoError(f, f.Read().Events.Append(f.Context(), late))
	require.Equal(f, []int{1}, f.sweep(f.DeleteOldEvents, f.now.Add(-time.Hour), 2),
		"each sweep begins with the oldest event")
}

func janitorEventLogSize(f *fixture) {
	before, err := f.EventLogSize(f.Context())
	require.NoError(f, err)
	for i := range 200 {
		require.NoError(f, f.Read().Events.Append(f.Context(), f.event(fmt.Sprint(i))))
	}
	after, err := f.EventLogSize(f.Context())
	require.NoError(f, err)
	require.Greater(f, after, before)
}

// janitorRemovedEntries verifies that the janitor removes the versions of a deleted entry, but keeps the entry's row.
// The row contains the last version number, which must never be used again.
func janitorRemovedEntries(f *fixture) {
	o := f.office()
	remove := func(key domain.EntryKey, at time.Time) {
		require.NoError(f, f.Read().Entries.MarkDeleted(f.Context(),
			domain.Entry{Box: o.box.ID, Key: key, UpdatedAt: at}))
	}
	for i := range 5 {
		key := domain.EntryKey(fmt.Sprintf("old-%d", i))
		f.write(o, key, "first", 0)
		f.write(o, key, "second", 0)
		remove(key, f.now.Add(-time.Hour))
	}
	f.write(o, "alive", "value", 0)
	f.write(o, "lately", "value", 0)
	remove("lately", f.now)
	require.Equal(f, []int{2, 2, 1}, f.sweep(f.DeleteRemovedEntries, f.now.Add(-time.Minute), 2))
	require.Equal(f, []int{0}, f.sweep(f.DeleteRemovedEntries, f.now.Add(-time.Minute), 2), "once")
	_, err := f.Read().Entries.Versions(f.Context(), o.box.ID, "old-3")
	require.ErrorIs(f, err, domain.NotFound)
	for _, key := range []domain.EntryKey{"alive", "lately"} {
		_, err := f.Read().Entries.Version(f.Context(), o.box.ID, key, 1)
		require.NoError(f, err)
	}
	require.Equal(f, uint64(3), f.write(o, "old-3", "again", 0))
	require.Equal(f, []uint64{3}, f.numbers(o.box, "old-3"))
	remove("old-3", f.now.Add(-time.Hour))
	require.Equal(f, []int{1}, f.sweep(f.DeleteRemovedEntries, f.now.Add(-time.Minute), 2), "deleted again")
}

// janitorReservations verifies that a deleted entry keeps its reservation until the janitor removes its versions.
func janitorReservations(f *fixture) {
	o := f.office()
	room := domain.Room{SlotBytes: 600, Slots: 2, Until: 2}
	require.NoError(f, f.reserve(o, "old", ports.Reservation{Room: room, Added: 1200, Limit: 1500}))
	entry := domain.Entry{Box: o.box.ID, Key: "old", UpdatedAt: f.now.Add(-time.Hour)}
	require.NoError(f, f.Read().Entries.MarkDeleted(f.Context(), entry))
	next := ports.Reservation{Room: domain.Room{SlotBytes: 400, Slots: 1}, Added: 400, Limit: 1500}
	f.requireCode(f.reserve(o, "new", next), domain.Conflict, "limit_reached")
	require.Equal(f, []int{1}, f.sweep(f.DeleteRemovedEntries, f.now.Add(-time.Minute), 2))
	require.NoError(f, f.reserve(o, "new", next))
	require.Zero(f, f.locked(o, "old").Room)
}
