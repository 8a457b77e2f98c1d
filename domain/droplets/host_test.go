package droplets_test

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// host is a simulated droplet host, which keeps its containers in memory. It implements ports.DropletHost.
type host struct {
	mu         sync.Mutex
	containers []domain.Droplet // oldest first
	created    int
	env        []string // of the newest container
	// foreign lists the names of containers that other installations created. occupied lists the numbers of droplets
	// whose ports are in use.
	foreign  []domain.DropletName
	occupied []int
	// fail returns the error with which the named operation, such as "start", must fail. If fail returns nil, the
	// operation succeeds.
	fail func(operation string) error
}

func (h *host) failing(operation string) error {
	if h.fail == nil {
		return nil
	}
	return h.fail(operation)
}

func (h *host) List(context.Context) ([]domain.Droplet, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	newestFirst := slices.Clone(h.containers)
	slices.Reverse(newestFirst)
	return newestFirst, h.failing("list")
}

// Create creates the container even if it then returns an error of kind Unavailable. A real host that does not answer
// may also have created the container.
func (h *host) Create(_ context.Context, droplet ports.NewDroplet) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	err := h.failing("create")
	if err != nil && domain.KindOf(err) != domain.Unavailable {
		return "", err
	}
	if slices.Contains(h.foreign, droplet.Name) ||
		slices.ContainsFunc(h.containers, func(d domain.Droplet) bool { return d.Name == droplet.Name }) {
		return "", domain.Refuse(domain.Conflict, "droplet_host_conflict", "the name is taken")
	}
	h.created++
	container := fmt.Sprintf("%064x", h.created)
	h.containers = append(h.containers,
		domain.Droplet{Container: container, Name: droplet.Name, Build: droplet.Build})
	h.env = nil
	for _, each := range droplet.Env {
		h.env = append(h.env, string(each.Bytes()))
	}
	if err != nil {
		container = ""
	}
	return container, err
}

func (h *host) Start(_ context.Context, container string) error {
	if h.isOccupied(container) {
		reason := "Bind for 127.0.0.1:8001 failed: port is already allocated"
		return domain.HostRefused(reason).Because(ports.ErrPortTaken)
	}
	return h.change("start", container, func(d *domain.Droplet) { d.Started, d.Status = true, "Up" })
}

// isOccupied reports whether the ports of the droplet in this container are in use.
func (h *host) isOccupied(container string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.ContainsFunc(h.containers, func(d domain.Droplet) bool {
		number, _ := domain.DropletPrefix("droplet").Parse(string(d.Name))
		return d.Container == container && slices.Contains(h.occupied, number)
	})
}

func (h *host) Stop(_ context.Context, container string) error {
	return h.change("stop", container, func(d *domain.Droplet) { d.Status = "Exited" })
}

func (h *host) Restart(ctx context.Context, container string) error { return h.Start(ctx, container) }

func (h *host) Remove(_ context.Context, container string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.failing("remove"); err != nil {
		return err
	}
	h.containers = slices.DeleteFunc(h.containers, func(d domain.Droplet) bool { return d.Container == container })
	return nil
}

func (h *host) change(operation, container string, change func(*domain.Droplet)) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.failing(operation); err != nil {
		return err
	}
	for i := range h.containers {
		if h.containers[i].Container == container {
			change(&h.containers[i])
		}
	}
	return nil
}

// failOn makes one operation fail.
func (h *host) failOn(operation string, err error) {
	h.fail = func(each string) error {
		if each == operation {
			return err
		}
		return nil
	}
}
