package contracts

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// DropletHostFixture holds an implementation of ports.DropletHost. The host has no containers at first.
type DropletHostFixture struct {
	Host ports.DropletHost
	// Prefix is the beginning of the name of each droplet. The host lists only containers whose names have this prefix.
	Prefix domain.DropletPrefix
	// Image is an image whose program runs until it is stopped.
	Image string
}

// DropletHost is the suite of ports.DropletHost. The suite tests neither time limits nor how an implementation handles
// a host that fails.
func DropletHost(t *testing.T, open func(t *testing.T) DropletHostFixture) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, DropletHostFixture){
		"Lifecycle": hostLifecycle,
		"List":      hostList,
		"Names":     hostNames,
	} {
		// The tests do not run in parallel, because open may return the same host for all tests: a real host is slow to
		// start.
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// create creates a droplet without published ports and returns its container.
func (f DropletHostFixture) create(t *testing.T, number int) string {
	t.Helper()
	container, err := f.Host.Create(t.Context(), f.droplet(number))
	require.NoError(t, err)
	return container
}

func (f DropletHostFixture) droplet(number int) ports.NewDroplet {
	return ports.NewDroplet{
		Build:         domain.DropletID{byte(number)},
		Name:          f.Prefix.Name(number),
		Image:         f.Image,
		Env:           []domain.Secret{domain.NewSecret("NAME=value")},
		AuthorizedKey: "ssh-ed25519 AAAA\n",
	}
}

// list returns the droplets of the host.
func (f DropletHostFixture) list(t *testing.T) []domain.Droplet {
	t.Helper()
	droplets, err := f.Host.List(t.Context())
	require.NoError(t, err)
	return droplets
}

func hostLifecycle(t *testing.T, f DropletHostFixture) {
	require.Empty(t, f.list(t))
	container := f.create(t, 1)
	require.Regexp(t, "^[0-9a-f]{64}$", container)
	droplets := f.list(t)
	require.Len(t, droplets, 1)
	require.False(t, droplets[0].Started, "a new container is stopped")
	for range 2 {
		require.NoError(t, f.Host.Start(t.Context(), container), "also while it runs")
		require.True(t, f.list(t)[0].Started)
	}
	require.NoError(t, f.Host.Restart(t.Context(), container))
	for range 2 {
		require.NoError(t, f.Host.Stop(t.Context(), container), "also while it is stopped")
		require.True(t, f.list(t)[0].Started, "it ran at least once")
	}
	require.NoError(t, f.Host.Restart(t.Context(), container), "also while it is stopped")
	for range 2 {
		require.NoError(t, f.Host.Remove(t.Context(), container),
			"a running container can be removed, and removing a missing container succeeds")
		require.Empty(t, f.list(t))
	}
}

func hostList(t *testing.T, f DropletHostFixture) {
	for number := 1; number <= 3; number++ {
		container := f.create(t, number)
		newest := f.list(t)[0]
		require.Equal(t, container, newest.Container, "newest first")
		require.Equal(t, f.Prefix.Name(number), newest.Name)
		require.Equal(t, f.droplet(number).Build, newest.Build)
	}
	droplets := f.list(t)
	require.Len(t, droplets, 3)
	require.NoError(t, f.Host.Remove(t.Context(), droplets[1].Container))
	require.Equal(t, slices.Delete(droplets, 1, 2), f.list(t), "the others are unchanged")
}

// hostNames creates droplets with the same name concurrently, as several servers could. Exactly one of the calls must
// succeed.
func hostNames(t *testing.T, f DropletHostFixture) {
	var created atomic.Int32
	var done sync.WaitGroup
	for range 4 {
		done.Go(func() {
			container, err := f.Host.Create(t.Context(), f.droplet(1))
			if err == nil {
				created.Add(1)
				return
			}
			if domain.KindOf(err) != domain.Conflict || container != "" {
				t.Errorf("want a conflict without a container, not %q and %v", container, err)
			}
		})
	}
	done.Wait()
	require.Equal(t, int32(1), created.Load())
	require.Len(t, f.list(t), 1)
	require.NoError(t, f.Host.Remove(t.Context(), f.list(t)[0].Container))
	f.create(t, 1)
}
