package droplets_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/droplets"
	"github.com/lockbox-go/lockbox/domain/vault"
	"github.com/lockbox-go/lockbox/ports"
	"github.com/lockbox-go/lockbox/tests/usecases"
)

const firstKey domain.EntryKey = "droplets/droplet01/ssh"

// endings lists the ways in which Add can fail or be interrupted after it has written the private key.
var endings = map[string]func(y *yard){
	"refused": func(y *yard) {
		y.failSecondList(func() error { return refused })
		_, err := y.add(nil)
		require.ErrorIs(y.t, err, domain.Invalid)
	},
	"no answer": func(y *yard) {
		y.failSecondList(func() error { return domain.ErrDropletHostUnavailable })
		_, err := y.add(nil)
		require.ErrorIs(y.t, err, domain.Unavailable)
	},
	"the requester disconnects": func(y *yard) {
		ctx, cancel := context.WithCancel(y.t.Context())
		y.failSecondList(func() error {
			cancel()
			return ctx.Err()
		})
		_, err := y.Add(ctx, y.manager, droplets.AddDroplet{
			Box:           "box",
			EncryptionKey: usecases.Key(y.t, usecases.GeneratedKey),
		})
		require.ErrorIs(y.t, err, context.Canceled)
	},
	"the server is killed": func(y *yard) { y.interrupt() },
}

// failSecondList makes the second list request fail. A build sends this request after it has written the private key.
func (y *yard) failSecondList(fail func() error) {
	lists := 0
	y.host.fail = func(operation string) error {
		if operation != "list" {
			return nil
		}
		if lists++; lists != 2 {
			return nil
		}
		return fail()
	}
}

// interrupt creates the state that remains when a server is killed during Add: the private key is written, but the
// record is incomplete.
func (y *yard) interrupt() {
	y.t.Helper()
	now := y.Clock.Now()
	record := domain.NewDropletRecord(y.IDs.New(), now, now.Add(time.Minute))
	require.NoError(y.t, y.Store.Read().Droplets.Add(y.t.Context(), record))
	box, err := y.Vault.OpenBox(y.t.Context(), y.manager, ports.OpenBox{
		Box:           "box",
		Permissions:   domain.CreateEntry,
		Action:        domain.ActionAddDroplet,
		EncryptionKey: usecases.Key(y.t, usecases.GeneratedKey),
	})
	require.NoError(y.t, err)
	defer box.Close()
	require.NoError(y.t, box.Write(y.t.Context(), firstKey, []byte(`"private"`), record.ID))
	y.host.containers = []domain.Droplet{{
		Container: "cut off",
		Name:      "droplet01",
		Build:     record.ID,
		Started:   true,
	}}
	y.Clock.Advance(time.Minute)
}

// history returns the version numbers of the entry, newest first, and the number of the version that holds its current
// value. That number is 0 if the entry has no value.
func (y *yard) history() (numbers []uint64, current uint64) {
	y.t.Helper()
	versions, err := y.Vault.ListVersions(y.t.Context(), y.manager, "box", string(firstKey))
	require.NoError(y.t, err)
	for _, each := range versions {
		numbers = append(numbers, each.Version)
		if each.Current {
			current = each.Version
		}
	}
	return numbers, current
}

// TestFailedAddRestoresTheOlderEntry covers a call of Add that fails after it has written the private key. The rollback
// restores the replaced value as a new version. The encryption key of the replaced value opens this version.
func TestFailedAddRestoresTheOlderEntry(t *testing.T) {
	t.Parallel()
	for name, end := range endings {
		for keep, want := range map[int][]uint64{0: {4, 3, 2, 1}, 1: {4}, 2: {4, 3}, 10: {4, 3, 2, 1}} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				y := newYard(t, func(c *vault.Config) { c.KeepVersions = keep })
				y.put(string(firstKey), `"oldest"`)
				y.putUnder(firstKey, `"older"`, "another key")
				end(y)
				y.host.fail = nil
				list, err := y.List(t.Context(), y.manager)
				require.NoError(t, err)
				require.Empty(t, list)
				require.Empty(t, y.host.containers)
				require.Empty(t, y.records())
				numbers, current := y.history()
				require.Equal(t, want, numbers, "keep %d", keep)
				require.EqualValues(t, 4, current)
				require.Equal(t, `"older"`, y.valueUnder(firstKey, "another key"))
				require.Contains(t, y.Log(), "(service) entry.restore success "+string(firstKey)+" -")
				require.NotContains(t, y.Log(), "(service) entry.delete success "+string(firstKey)+" -")
			})
		}
	}
}

// TestFailedAddWithoutAnOlderValue verifies that an entry without a value still has no value after Add has failed.
func TestFailedAddWithoutAnOlderValue(t *testing.T) {
	t.Parallel()
	for name, end := range endings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			y := newYard(t)
			for _, deletedBefore := range []bool{false, true} {
				if deletedBefore {
					y.put(string(firstKey), `"deleted"`)
					entry := vault.DeleteEntry{Box: "box", Key: string(firstKey)}
					require.NoError(t, y.Vault.DeleteEntry(t.Context(), y.manager, entry))
				}
				end(y)
				y.host.fail = nil
				_, err := y.List(t.Context(), y.manager)
				require.NoError(t, err)
				y.requireNothing()
			}
			require.NotContains(t, y.Log(), "(service) entry.restore success "+string(firstKey)+" -")
		})
	}
}

// TestUndoIsForTheAddsOwnVersion verifies that the rollback of an interrupted Add does not overwrite a change that
// another request made to the entry in the meantime.
func TestUndoIsForTheAddsOwnVersion(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(y *yard)
		want   []domain.EntryKey
	}{
		"written": {func(y *yard) { y.put(string(firstKey), `"newer"`) }, []domain.EntryKey{firstKey}},
		"deleted": {func(y *yard) {
			entry := vault.DeleteEntry{Box: "box", Key: string(firstKey)}
			require.NoError(y.t, y.Vault.DeleteEntry(y.t.Context(), y.manager, entry))
		}, []domain.EntryKey{}},
		"restored": {func(y *yard) {
			_, err := y.Vault.RestoreEntry(y.t.Context(), y.manager,
				vault.RestoreEntry{Box: "box", Key: string(firstKey), Version: 1})
			require.NoError(y.t, err)
		}, []domain.EntryKey{firstKey}},
		"undone, and the server killed": {func(y *yard) {
			record := y.records()[0]
			require.NoError(y.t, y.Vault.UndoWrite(y.t.Context(), y.manager, record.VersionRef, record.Replaced))
		}, []domain.EntryKey{firstKey}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			y := newYard(t)
			y.put(string(firstKey), `"older"`)
			y.interrupt()
			c.change(y)
			before, _ := y.history()
			_, err := y.List(t.Context(), y.manager)
			require.NoError(t, err)
			require.Empty(t, y.records())
			after, _ := y.history()
			require.Equal(t, before, after)
			require.Equal(t, c.want, y.keys())
		})
	}
}

// TestDeletedBoxDoesNotBlockCleanup verifies that cleanup removes an interrupted build whose box was deleted. A
// deleted box has no entry to restore.
func TestDeletedBoxDoesNotBlockCleanup(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.put(string(firstKey), `"older"`)
	y.interrupt()
	require.NoError(t, y.Vault.DeleteBox(t.Context(), y.manager, "box"))
	_, err := y.List(t.Context(), y.manager)
	require.NoError(t, err)
	require.Empty(t, y.records())
	require.Empty(t, y.host.containers)
}

// putUnder writes an entry with the given encryption key. The manager sends the request.
func (y *yard) putUnder(key domain.EntryKey, value, encryptionKey string) {
	y.t.Helper()
	_, err := y.Vault.WriteEntry(y.t.Context(), y.manager, vault.WriteEntry{
		Box:           "box",
		Key:           string(key),
		Value:         []byte(value),
		EncryptionKey: usecases.Key(y.t, encryptionKey),
	})
	require.NoError(y.t, err)
}

// valueUnder reads an entry with the given encryption key. The manager sends the request.
func (y *yard) valueUnder(key domain.EntryKey, encryptionKey string) string {
	y.t.Helper()
	value, err := y.Vault.ReadEntry(y.t.Context(), y.manager, vault.ReadEntry{
		Box:           "box",
		Key:           string(key),
		EncryptionKey: usecases.Key(y.t, encryptionKey),
	})
	require.NoError(y.t, err)
	return string(value.JSON)
}
