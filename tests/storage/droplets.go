package storage

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
)

// addDroplet stores the record of a droplet that is being created. The creation may take a minute.
func (f *fixture) addDroplet() domain.DropletRecord {
	f.Helper()
	record := domain.NewDropletRecord(f.id(), f.now, f.now.Add(time.Minute))
	require.NoError(f, f.Read().Droplets.Add(f.Context(), record))
	return record
}

func (f *fixture) droplets() []domain.DropletRecord {
	f.Helper()
	list, err := f.Read().Droplets.List(f.Context())
	require.NoError(f, err)
	return list
}

func dropletLifecycle(f *fixture) {
	o := f.office()
	records := f.Read().Droplets
	first, second := f.addDroplet(), f.addDroplet()
	require.Equal(f, []domain.DropletRecord{first, second}, f.droplets())

	entry := domain.Entry{Box: o.box.ID, Key: "droplets/droplet-1/ssh", Version: 4}
	require.NoError(f, records.NoteEntry(f.Context(), first.ID, entry, 3))
	require.NoError(f, records.Finish(f.Context(), first.ID, "droplet-1", "container"))
	first.Name, first.Container, first.BusyUntil = "droplet-1", "container", time.Time{}
	first.Box, first.BoxName, first.Key, first.Version = o.box.ID, o.box.Name, entry.Key, entry.Version
	first.Replaced = 3
	require.Equal(f, []domain.DropletRecord{first, second}, f.droplets())

	require.NoError(f, records.Finish(f.Context(), second.ID, "droplet-1", "another"))
	require.Len(f, f.droplets(), 1, "the older record of the same name is deleted")
	require.Equal(f, second.ID, f.droplets()[0].ID)
	require.NoError(f, f.Read().Boxes.Delete(f.Context(), o.box.ID))
	require.NoError(f, records.Delete(f.Context(), second.ID))
	require.Empty(f, f.droplets())
}

func dropletClaim(f *fixture) {
	records := f.Read().Droplets
	record := f.addDroplet()
	until := f.now.Add(time.Hour)
	claimed, ok, err := records.Claim(f.Context(), record, until)
	require.NoError(f, err)
	require.True(f, ok)
	want := record
	want.Abandoned, want.BusyUntil = true, until
	require.Equal(f, want, claimed)
	_, ok, err = records.Claim(f.Context(), record, until)
	require.NoError(f, err)
	require.False(f, ok, "the record has been claimed since the caller read it")

	f.requireCode(records.NoteEntry(f.Context(), record.ID, domain.Entry{}, 0), domain.Conflict, "droplet_abandoned")
	f.requireCode(records.Finish(f.Context(), record.ID, "name", "container"), domain.Conflict, "droplet_abandoned")

	require.NoError(f, records.Release(f.Context(), record, time.Time{}),
		"Release has no effect on a record that another caller has claimed")
	require.Equal(f, []domain.DropletRecord{claimed}, f.droplets())
	require.NoError(f, records.Release(f.Context(), claimed, f.now))
	claimed.BusyUntil = f.now
	require.Equal(f, []domain.DropletRecord{claimed}, f.droplets())
	require.NoError(f, records.Release(f.Context(), claimed, time.Time{}))
	claimed.Abandoned, claimed.BusyUntil = false, time.Time{}
	require.Equal(f, []domain.DropletRecord{claimed}, f.droplets())
}
