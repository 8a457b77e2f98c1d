package droplets_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/sshkeys"
	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/droplets"
	"github.com/lockbox-go/lockbox/domain/vault"
	"github.com/lockbox-go/lockbox/tests/usecases"
)

// yard contains the use cases of droplets, a simulated droplet host, and a user in the group "manager" who owns the box
// "box".
type yard struct {
	*usecases.Boxes
	*droplets.Service
	t       testing.TB
	host    *host
	manager domain.Requester
}

func newYard(t testing.TB, change ...func(*vault.Config)) *yard {
	t.Helper()
	y := &yard{Boxes: usecases.OpenBoxes(t, change...), t: t, host: &host{}}
	y.Service = droplets.New(droplets.Config{
		Gate:      y.Gate,
		Store:     y.Store,
		Host:      y.host,
		Vault:     y.Vault,
		NewSSHKey: sshkeys.New,
		Clock:     y.Clock,
		IDs:       y.IDs,
		Prefix:    "droplet",
		Images:    []string{"image"},
	})
	y.manager = y.User("manager", domain.GroupManager)
	_, err := y.Vault.CreateBox(t.Context(), y.manager, "box")
	require.NoError(t, err)
	return y
}

// add adds a droplet and stores its private key in the box.
func (y *yard) add(env map[string]string) (droplets.AddedDroplet, error) {
	y.t.Helper()
	return y.Add(y.t.Context(), y.manager, droplets.AddDroplet{
		Box:           "box",
		Env:           env,
		EncryptionKey: usecases.Key(y.t, usecases.GeneratedKey),
	})
}

func (y *yard) keys() []domain.EntryKey {
	y.t.Helper()
	keys, err := y.Vault.ListEntries(y.t.Context(), y.manager, "box", "")
	require.NoError(y.t, err)
	return keys
}

func (y *yard) records() []domain.DropletRecord {
	y.t.Helper()
	records, err := y.Store.Read().Droplets.List(y.t.Context())
	require.NoError(y.t, err)
	return records
}

// requireNothing checks that no container, entry or record is left.
func (y *yard) requireNothing() {
	y.t.Helper()
	require.Empty(y.t, y.host.containers)
	require.Empty(y.t, y.keys())
	require.Empty(y.t, y.records())
}

var refused = domain.HostRefused("no space left on device")

func TestAddAndDelete(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	added, err := y.add(nil)
	require.NoError(t, err)
	require.Len(t, added.Droplets, 1)
	require.Equal(t, added.Container, added.Droplets[0].Container)
	require.Empty(t, added.PrivateKey.Bytes(), "the box has it")
	require.Equal(t, []domain.EntryKey{"droplets/droplet01/ssh"}, y.keys())
	require.Contains(t, y.Log(), "manager droplet.add success - droplet01")

	list, err := y.Delete(t.Context(), y.manager, "droplet01")
	require.NoError(t, err)
	require.Empty(t, list)
	y.requireNothing()
	require.Contains(t, y.Log(), "(service) entry.delete success droplets/droplet01/ssh -")
}

func TestAddWithoutABox(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	added, err := y.Add(t.Context(), y.manager, droplets.AddDroplet{})
	require.NoError(t, err)
	require.Contains(t, string(added.PrivateKey.Bytes()), "OPENSSH PRIVATE KEY")
	require.Empty(t, y.keys())
}

// TestFailedAddIsRolledBack verifies that no container, entry or record remains after the host refused to create or
// start the container, and that the failure is audited.
func TestFailedAddIsRolledBack(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	for operation, target := range map[string]string{"create": "-", "start": "droplet01"} {
		y.host.failOn(operation, refused)
		_, err := y.add(nil)
		require.ErrorIs(t, err, domain.Invalid, operation)
		require.Equal(t, refused.Message, err.Error(), operation)
		y.host.fail = nil
		y.requireNothing()
		require.Contains(t, y.Log(), "manager droplet.add failed - "+target, operation)
	}
}

// TestSilentHostIsCleanedUpLater covers a host that does not answer during a build. The rollback deletes the entry
// immediately, and the next list request removes the container.
func TestSilentHostIsCleanedUpLater(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	for _, operation := range []string{"create", "start"} {
		y.host.failOn(operation, domain.ErrDropletHostUnavailable)
		_, err := y.add(nil)
		require.ErrorIs(t, err, domain.Unavailable, operation)
		require.Empty(t, y.keys(), operation)
		require.Len(t, y.host.containers, 1, operation)
		y.host.fail = nil
		list, err := y.List(t.Context(), y.manager)
		require.NoError(t, err)
		require.Empty(t, list, operation)
		y.requireNothing()
		require.Contains(t, y.LastLogged(), "(service) droplet.delete success", operation)
	}
}

// TestInterruptedBuildIsCleanedUp verifies that cleanup ignores an interrupted build until its lease has expired, and
// then removes the build.
func TestInterruptedBuildIsCleanedUp(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	now := y.Clock.Now()
	record := domain.NewDropletRecord(y.IDs.New(), now, now.Add(time.Minute))
	require.NoError(t, y.Store.Read().Droplets.Add(t.Context(), record))
	y.host.containers = []domain.Droplet{{Container: "cut off", Name: "droplet01", Build: record.ID}}

	list, err := y.List(t.Context(), y.manager)
	require.NoError(t, err)
	require.Len(t, list, 1, "another server may be building it")
	y.Clock.Advance(time.Minute)
	list, err = y.List(t.Context(), y.manager)
	require.NoError(t, err)
	require.Empty(t, list)
	y.requireNothing()
	require.Equal(t, "(service) droplet.delete success - droplet01", y.LastLogged())
}

// TestUnknownContainerThatNeverRan verifies that cleanup removes an unknown container that never ran. The host may
// create such a container late, when Lockbox has already rolled back the build.
func TestUnknownContainerThatNeverRan(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.host.containers = []domain.Droplet{
		{Container: "late", Name: "droplet01", Build: y.IDs.New()},
		{
			Container: "running",
			Name:      "droplet02",
			Build:     y.IDs.New(),
			Started:   true,
		},
	}
	list, err := y.List(t.Context(), y.manager)
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, domain.DropletName("droplet02"), list[0].Name)
}

func TestEntryChangedSinceStays(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	_, err := y.add(nil)
	require.NoError(t, err)
	y.put("droplets/droplet01/ssh", `"changed"`)
	_, err = y.Delete(t.Context(), y.manager, "droplet01")
	require.NoError(t, err)
	require.Equal(t, []domain.EntryKey{"droplets/droplet01/ssh"}, y.keys())
}

// TestRefusedRemovalKeepsTheDroplet verifies that Lockbox keeps a droplet if the host refuses to remove it. The record
// is then no longer marked for removal, and no later cleanup removes the droplet.
func TestRefusedRemovalKeepsTheDroplet(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	added, err := y.add(nil)
	require.NoError(t, err)
	y.host.failOn("remove", domain.HostRefused(added.Container+" is busy"))
	_, err = y.Delete(t.Context(), y.manager, "droplet01")
	require.EqualError(t, err, "droplet01 is busy", "callers know the name, not the container")
	require.Equal(t, "manager droplet.delete failed - droplet01", y.LastLogged())
	require.False(t, y.records()[0].Abandoned)
	y.Clock.Advance(time.Hour)
	list, err := y.List(t.Context(), y.manager)
	require.NoError(t, err)
	require.Len(t, list, 1)
}

func TestNames(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	for _, name := range []string{"", "droplet", "droplet01", "other"} {
		_, err := y.Start(t.Context(), y.manager, name)
		require.ErrorIs(t, err, domain.ErrDropletNotFound, name)
	}
	viewer := y.User("viewer", domain.GroupViewer)
	_, err := y.Stop(t.Context(), viewer, "a secret")
	require.ErrorIs(t, err, domain.ErrGroupTooLow)
	require.Equal(t, "viewer droplet.stop denied - -", y.LastLogged(), "only possible names are audited")
}
