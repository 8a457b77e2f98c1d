package contracts

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// DropletVaultFixture holds an implementation of ports.DropletVault, and a box that has no entries.
type DropletVaultFixture struct {
	Vault ports.DropletVault
	Store ports.Store
	IDs   ports.IDs
	// Box is the name of the box.
	Box domain.BoxName
	// Manager has all permissions in the box. Reader has ReadEntry. Stranger is no member.
	Manager, Reader, Stranger domain.Requester
}

// DropletVault is the suite of ports.DropletVault.
func DropletVault(t *testing.T, open func(t *testing.T) DropletVaultFixture) {
	t.Helper()
	run(t, open, map[string]func(*testing.T, DropletVaultFixture){
		"OpenBox":         vaultOpenBox,
		"DeleteUnchanged": vaultDeleteUnchanged,
	})
}

// DropletBox is the suite of ports.DropletBox. The tests obtain each DropletBox from the OpenBox method of a vault.
func DropletBox(t *testing.T, open func(t *testing.T) DropletVaultFixture) {
	t.Helper()
	run(t, open, map[string]func(*testing.T, DropletVaultFixture){
		"Read":       boxRead,
		"Write":      boxWrite,
		"Abandoned":  boxAbandoned,
		"Authorises": boxAuthorises,
	})
}

// The method request returns a request to open the box with a generated encryption key.
func (f DropletVaultFixture) request(t *testing.T, permissions domain.Permissions) ports.OpenBox {
	return ports.OpenBox{
		Box:           string(f.Box),
		Permissions:   permissions,
		Action:        domain.ActionAddDroplet,
		EncryptionKey: entryKeys(t)["generated"],
	}
}

// open opens the box and closes it when the test ends.
func (f DropletVaultFixture) open(t *testing.T, by domain.Requester, permissions domain.Permissions) ports.DropletBox {
	t.Helper()
	box, err := f.Vault.OpenBox(t.Context(), by, f.request(t, permissions))
	require.NoError(t, err)
	t.Cleanup(box.Close)
	return box
}

// addRecord stores a record, as for a droplet that is being built, and returns the record's identifier.
func (f DropletVaultFixture) addRecord(t *testing.T) domain.DropletID {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Microsecond)
	record := domain.NewDropletRecord(f.IDs.New(), now, now.Add(time.Minute))
	require.NoError(t, f.Store.Read().Droplets.Add(t.Context(), record))
	return record.ID
}

// noted returns the VersionRef of the stored droplet record with the given identifier.
func (f DropletVaultFixture) noted(t *testing.T, id domain.DropletID) domain.VersionRef {
	t.Helper()
	records, err := f.Store.Read().Droplets.List(t.Context())
	require.NoError(t, err)
	for _, record := range records {
		if record.ID == id {
			return record.VersionRef
		}
	}
	return domain.VersionRef{}
}

// logged returns the newest event of an action, or the zero event if there is none.
func (f DropletVaultFixture) logged(t *testing.T, action domain.Action) domain.Event {
	t.Helper()
	page, err := f.Store.Read().Events.List(t.Context(), ports.EventFilter{Action: action, Limit: 1})
	require.NoError(t, err)
	if len(page.Events) == 0 {
		return domain.Event{}
	}
	return page.Events[0]
}

// vaultOpenBox verifies that OpenBox checks the box and the permissions before it checks the encryption key.
func vaultOpenBox(t *testing.T, f DropletVaultFixture) {
	keyless := f.request(t, domain.CreateEntry)
	keyless.EncryptionKey = domain.EncryptionKey{}
	for _, test := range []struct {
		by   domain.Requester
		kind domain.Kind
		code string
	}{
		{f.Stranger, domain.NotFound, "box_not_found"},
		{f.Reader, domain.Forbidden, "permission_missing"},
	} {
		box, err := f.Vault.OpenBox(t.Context(), test.by, keyless)
		requireRefusal(t, err, test.kind, test.code)
		require.Nil(t, box)
		event := f.logged(t, keyless.Action)
		require.Equal(t, domain.OutcomeDenied, event.Outcome)
		require.Equal(t, test.by.Credential.User, event.Actor)
	}
	_, err := f.Vault.OpenBox(t.Context(), f.Manager, keyless)
	require.Equal(t, keyless.EncryptionKey.Check(), err)
	require.Equal(t, f.Reader.Credential.User, f.logged(t, keyless.Action).Actor,
		"the newest event must be the event of the previous refusal")
	unknown := f.request(t, domain.CreateEntry)
	unknown.Box = "unknown"
	_, err = f.Vault.OpenBox(t.Context(), f.Manager, unknown)
	requireRefusal(t, err, domain.NotFound, "box_not_found")
}

func vaultDeleteUnchanged(t *testing.T, f DropletVaultFixture) {
	box := f.open(t, f.Manager, domain.AllPermissions)
	first, second := f.addRecord(t), f.addRecord(t)
	require.NoError(t, box.Write(t.Context(), "entry", []byte(`1`), first))
	require.NoError(t, box.Write(t.Context(), "entry", []byte(`2`), second))

	require.NoError(t, f.Vault.DeleteUnchanged(t.Context(), f.Stranger, f.noted(t, first)))
	require.Zero(t, f.logged(t, domain.ActionDeleteEntry))
	value, err := box.Read(t.Context(), "entry")
	require.NoError(t, err, "the entry has a newer version")
	require.Equal(t, `2`, string(value))

	for range 2 {
		require.NoError(t, f.Vault.DeleteUnchanged(t.Context(), f.Stranger, f.noted(t, second)))
		event := f.logged(t, domain.ActionDeleteEntry)
		require.Equal(t, domain.OutcomeSuccess, event.Outcome)
		require.True(t, event.Actor.IsZero(), "the service acts on its own authority")
		_, err = box.Read(t.Context(), "entry")
		require.ErrorIs(t, err, domain.NotFound)
	}
}

func boxRead(t *testing.T, f DropletVaultFixture) {
	require.NoError(t, f.open(t, f.Manager, domain.CreateEntry).Write(t.Context(), "entry", []byte(`{"a":1}`),
		f.addRecord(t)))
	box := f.open(t, f.Reader, domain.ReadEntry)
	value, err := box.Read(t.Context(), "entry")
	require.NoError(t, err)
	require.JSONEq(t, `{"a":1}`, string(value))
	event := f.logged(t, domain.ActionReadEntry)
	require.Equal(t, domain.OutcomeSuccess, event.Outcome)
	require.Equal(t, f.Reader.Credential.User, event.Actor)
	require.Equal(t, domain.EntryKey("entry"), event.Key)
	_, err = box.Read(t.Context(), "unknown")
	require.ErrorIs(t, err, domain.NotFound)
}

func boxWrite(t *testing.T, f DropletVaultFixture) {
	box := f.open(t, f.Manager, domain.AllPermissions)
	for version := uint64(1); version <= 2; version++ {
		id := f.addRecord(t)
		require.NoError(t, box.Write(t.Context(), "entry", []byte(`"text"`), id))
		noted := f.noted(t, id)
		require.Equal(t, f.Box, noted.BoxName)
		require.Equal(t, domain.EntryKey("entry"), noted.Key)
		require.Equal(t, version, noted.Version)
	}
}

// boxAbandoned verifies that Write stores nothing if the droplet has no record. A record is missing if, for example,
// another server has removed an abandoned build.
func boxAbandoned(t *testing.T, f DropletVaultFixture) {
	box := f.open(t, f.Manager, domain.AllPermissions)
	require.ErrorIs(t, box.Write(t.Context(), "entry", []byte(`1`), f.IDs.New()), domain.ErrDropletAbandoned)
	_, err := box.Read(t.Context(), "entry")
	require.ErrorIs(t, err, domain.NotFound)
}

// boxAuthorises verifies that a removed member loses access, even if the box was opened before the removal.
func boxAuthorises(t *testing.T, f DropletVaultFixture) {
	writable := f.open(t, f.Manager, domain.CreateEntry)
	require.NoError(t, writable.Write(t.Context(), "entry", []byte(`1`), f.addRecord(t)))
	box := f.open(t, f.Reader, domain.ReadEntry)
	_, err := box.Read(t.Context(), "entry")
	require.NoError(t, err)
	require.ErrorIs(t, box.Write(t.Context(), "entry", []byte(`2`), f.addRecord(t)), domain.Forbidden)

	access, err := f.Store.Read().Callers.Access(t.Context(), f.Reader.Credential, f.Box)
	require.NoError(t, err)
	require.NoError(t, f.Store.Read().BoxUsers.Remove(t.Context(), access.Box.ID, access.Caller.UserID))
	_, err = box.Read(t.Context(), "entry")
	requireRefusal(t, err, domain.NotFound, "box_not_found")
}
