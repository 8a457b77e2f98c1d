package droplets_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/droplets"
)

// TestNumbersThatOthersUse verifies that Add takes the lowest number whose name and ports are free on the host. If Add
// tries lower numbers first, it must leave no container and no version of an entry for them.
func TestNumbersThatOthersUse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		foreign  []domain.DropletName
		occupied []int
		want     domain.DropletName
	}{
		"nothing":        {want: "droplet01"},
		"a port":         {occupied: []int{1}, want: "droplet02"},
		"ports in a row": {occupied: []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, want: "droplet13"},
		"a gap":          {occupied: []int{1, 3}, want: "droplet02"},
		"a name":         {foreign: []domain.DropletName{"droplet01"}, want: "droplet02"},
		"a name and ports": {
			foreign:  []domain.DropletName{"droplet02"},
			occupied: []int{1, 2, 3},
			want:     "droplet04",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			y := newYard(t)
			y.put("droplets/droplet01/ssh", `"older"`)
			y.host.foreign, y.host.occupied = c.foreign, c.occupied
			added, err := y.add(nil)
			require.NoError(t, err)
			require.Len(t, added.Droplets, 1)
			require.Equal(t, c.want, added.Droplets[0].Name)
			require.Equal(t, added.Container, added.Droplets[0].Container)
			require.Contains(t, y.Log(), "manager droplet.add success - "+string(c.want))
			require.Len(t, y.records(), 1)
			require.Equal(t, c.want.SSHKeyEntry(), y.records()[0].Key)
			versions, err := y.Vault.ListVersions(t.Context(), y.manager, "box", "droplets/droplet01/ssh")
			require.NoError(t, err)
			want := 1
			if c.want == "droplet01" {
				want = 2
			}
			require.Len(t, versions, want, "a number that was only tried leaves no version")
		})
	}
}

// TestAllNumbersAreUsed verifies that the error names the numbers whose ports were in use. Add must leave no container,
// entry or record.
func TestAllNumbersAreUsed(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	for number := 1; number <= domain.MaxDroplets; number++ {
		if number%10 == 0 {
			y.host.occupied = append(y.host.occupied, number, number+1)
		} else {
			y.host.foreign = append(y.host.foreign, domain.DropletPrefix("droplet").Name(number))
		}
	}
	_, err := y.add(nil)
	require.Equal(t, "no_droplet_number", domain.CodeOf(err))
	require.ErrorContains(t, err, "of droplet10, droplet20, droplet30,")
	require.ErrorContains(t, err, "all other names are taken")
	y.requireNothing()
	require.Equal(t, "manager droplet.add failed - -", y.LastLogged())
}

// TestOtherFailuresEndTheSearch verifies that Add tries the next number only when a name is taken or a port is in
// use.
func TestOtherFailuresEndTheSearch(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.host.occupied = []int{1}
	for operation, failure := range map[string]*domain.Error{
		"create": refused,
		"start":  refused,
		"remove": domain.HostRefused("device or resource busy"),
	} {
		y.host.failOn(operation, failure)
		_, err := y.Add(t.Context(), y.manager, droplets.AddDroplet{})
		require.ErrorContains(t, err, failure.Message, operation)
		y.host.fail = nil
		list, err := y.List(t.Context(), y.manager)
		require.NoError(t, err)
		require.Empty(t, list, operation)
		y.requireNothing()
	}
}
