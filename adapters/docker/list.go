package docker

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"

	"github.com/lockbox-go/lockbox/domain"
)

// The labels of a droplet's container. They hold no secret, and say nothing that anybody is trusted for.
const (
	labelInstallation = "lockbox.installation"
	labelMade         = "lockbox.made"
)

// List returns the droplets of this installation; see ports.DropletHost.
func (h *Host) List(ctx context.Context) ([]domain.Droplet, error) {
	var found []container.Summary
	err := h.ask(ctx, answerPatience, func(ctx context.Context) (err error) {
		found, err = h.engine.ContainerList(ctx, container.ListOptions{All: true,
			Filters: filters.NewArgs(filters.Arg("label", labelInstallation+"="+h.config.Installation))})
		return err
	})
	if err != nil {
		return nil, err
	}
	droplets := make([]domain.Droplet, 0, len(found))
	for _, each := range found {
		if droplet, ours := h.droplet(each); ours {
			droplets = append(droplets, droplet)
		}
	}
	domain.NewestFirst(droplets)
	return droplets, nil
}

// droplet reads what the engine lists of a container; ours is false for one that is no droplet of this installation.
func (h *Host) droplet(listed container.Summary) (droplet domain.Droplet, ours bool) {
	name := nameOf(listed)
	_, ours = h.config.Prefix.Parse(name)
	if !ours || listed.Labels[labelInstallation] != h.config.Installation || !domain.IsContainerID(listed.ID) {
		return domain.Droplet{}, false
	}
	made, _ := domain.ParseID[domain.Droplet](listed.Labels[labelMade])
	return domain.Droplet{
		Container: listed.ID,
		Name:      domain.DropletName(name),
		Made:      made,
		CreatedAt: time.Unix(listed.Created, 0).UTC(),
		Started:   listed.State != container.StateCreated,
		Status:    domain.UpStatus(listed.Status),
		Ports:     portsOf(listed),
	}, true
}

// nameOf returns the container's own name, which has one slash; those with two are what others call it.
func nameOf(listed container.Summary) string {
	for _, name := range listed.Names {
		if own := strings.TrimPrefix(name, "/"); !strings.Contains(own, "/") {
			return own
		}
	}
	return ""
}

// portsOf returns the bindings to addresses of IPv4.
func portsOf(listed container.Summary) []domain.PublishedPort {
	var published []domain.PublishedPort
	for _, port := range listed.Ports {
		address, err := netip.ParseAddr(port.IP)
		if err == nil && address.Is4() && port.PublicPort > 0 {
			published = append(published, domain.PublishedPort{
				Port:     int(port.PrivatePort),
				Protocol: port.Type,
				HostIP:   port.IP,
				HostPort: int(port.PublicPort),
			})
		}
	}
	return published
}
