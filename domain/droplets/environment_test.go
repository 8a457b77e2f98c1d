package droplets_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/droplets"
	"github.com/lockbox-go/lockbox/domain/vault"
	"github.com/lockbox-go/lockbox/tests/usecases"
)

// put writes an entry of the box with the manager's credential.
func (y *yard) put(key, value string) {
	y.t.Helper()
	_, err := y.Vault.WriteEntry(y.t.Context(), y.manager, vault.WriteEntry{
		Box:           "box",
		Key:           key,
		Value:         []byte(value),
		EncryptionKey: usecases.Key(y.t, usecases.GeneratedKey),
	})
	require.NoError(y.t, err)
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.put("db/password", `"hunter22"`)
	_, err := y.add(map[string]string{"PASSWORD": "db/password", "AGAIN": "db/password"})
	require.NoError(t, err)
	require.Equal(t, []string{"AGAIN=hunter22", "PASSWORD=hunter22"}, y.host.env)
	reads := 0
	for _, line := range y.Log() {
		if line == "manager entry.read success db/password -" {
			reads++
		}
	}
	require.Equal(t, 1, reads, "an entry is read and audited once")
}

func TestReasonWithASecretIsWithheld(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.put("db/password", `"hunter22"`)
	y.host.failOn("start", domain.HostRefused("bad value hunter22"))
	_, err := y.add(map[string]string{"PASSWORD": "db/password"})
	require.ErrorIs(t, err, domain.ErrDropletReasonWithheld)
}

// TestAddRefusesBeforeItBuilds verifies the order in which Add checks a request, and that a refused request changes
// nothing.
func TestAddRefusesBeforeItBuilds(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	viewer, stranger := y.User("viewer", domain.GroupViewer), y.User("stranger", domain.GroupManager)
	key := usecases.Key(t, usecases.GeneratedKey)
	for name, test := range map[string]struct {
		by   domain.Requester
		in   droplets.AddDroplet
		code string
	}{
		"group":       {viewer, droplets.AddDroplet{}, "group_too_low"},
		"box":         {stranger, droplets.AddDroplet{Box: "box"}, "box_not_found"},
		"key":         {y.manager, droplets.AddDroplet{Box: "box", Image: "unknown"}, "encryption_key_required"},
		"image":       {y.manager, droplets.AddDroplet{Image: "unknown"}, "invalid_image"},
		"env, no box": {y.manager, droplets.AddDroplet{Env: map[string]string{"A": "a"}}, "invalid_env"},
		"env, no entry": {y.manager,
			droplets.AddDroplet{Box: "box", EncryptionKey: key, Env: map[string]string{"A": "a"}}, "entry_not_found"},
	} {
		_, err := y.Add(t.Context(), test.by, test.in)
		require.Equal(t, test.code, domain.CodeOf(err), name)
		y.requireNothing()
	}
}

func TestNoFreeNumber(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	for number := 1; number <= domain.MaxDroplets; number++ {
		y.host.containers = append(y.host.containers,
			domain.Droplet{Name: domain.DropletPrefix("droplet").Name(number), Started: true})
	}
	_, err := y.Add(t.Context(), y.manager, droplets.AddDroplet{})
	require.EqualError(t, err, "all numbers from droplet01 to droplet99 are taken")
	require.Empty(t, y.records())
}
