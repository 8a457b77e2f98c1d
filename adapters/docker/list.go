package docker

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/lockbox-go/lockbox/domain"
)

// These are the labels of a droplet's container. They contain no secret. Any user of the host can set these labels, so
// no decision about authorisation depends on them.
const (
	labelInstallation = "lockbox.installation"
	// labelBuild identifies the build. The label's name must not change, because existing containers carry it.
	labelBuild = "lockbox.made"
)

// containerDigits is the length of a container identifier.
const containerDigits = 64

// listed holds the fields of a container that this package reads from the engine's list.
type listed struct {
	ID      string `json:"Id"`
	Names   []string
	Labels  map[string]string
	Created int64
	State   container.ContainerState
	Status  string
	Ports   []listedPort
}

// listedPort is a port of a listed container.
type listedPort struct {
	IP          string
	PrivatePort uint16
	PublicPort  uint16 // 0 for a port that is not published
	Type        string
}

// List returns the droplets of this installation; see ports.DropletHost.
func (h *Host) List(ctx context.Context) ([]domain.Droplet, error) {
	var droplets []domain.Droplet
	err := h.call(ctx, answerTimeout, func(ctx context.Context) error {
		droplets = []domain.Droplet{} // the transport may resend the request: begin with an empty list
		ctx = withVisitor(ctx, func(each listed) {
			if droplet, ours := h.droplet(each); ours {
				droplets = append(droplets, droplet)
			}
		})
		_, err := h.engine.ContainerList(ctx, client.ContainerListOptions{
			All:     true,
			Filters: client.Filters{}.Add("label", labelInstallation+"="+h.config.Installation),
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	domain.NewestFirst(droplets)
	return droplets, nil
}

// droplet converts a listed container to a droplet. The second result is false for a container that is not a droplet of
// this installation.
func (h *Host) droplet(each listed) (droplet domain.Droplet, ours bool) {
	name := nameOf(each)
	_, ours = h.config.Prefix.Parse(name)
	if !ours || each.Labels[labelInstallation] != h.config.Installation || !isContainerID(each.ID) {
		return domain.Droplet{}, false
	}
	build, _ := domain.ParseID[domain.Droplet](each.Labels[labelBuild])
	return domain.Droplet{
		Container: each.ID,
		Name:      domain.DropletName(name),
		Build:     build,
		CreatedAt: time.Unix(each.Created, 0).UTC(),
		Started:   each.State != container.StateCreated,
		Status:    upStatus(each.Status),
		Ports:     portsOf(each),
	}, true
}

// nameOf returns the container's own name, which has one slash. A name with two slashes is an alias. The engine creates
// an alias when another container links to this one.
func nameOf(each listed) string {
	for _, name := range each.Names {
		if own := strings.TrimPrefix(name, "/"); !strings.Contains(own, "/") {
			return own
		}
	}
	return ""
}

// portsOf returns the bindings to IPv4 addresses.
func portsOf(each listed) []domain.PublishedPort {
	var published []domain.PublishedPort
	for _, port := range each.Ports {
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

// isContainerID reports whether text is a complete container identifier, which is safe in a path of the API.
func isContainerID(text string) bool {
	return len(text) == containerDigits && !strings.ContainsFunc(text, func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'a' || c > 'f')
	})
}

// upStatus replaces "Up Less than a second" with "Up 1 second", which has the format of all later statuses. The engine
// reports the original text only during the first second.
func upStatus(status string) string {
	const first = "Up Less than a second"
	if rest, found := strings.CutPrefix(status, first); found {
		return "Up 1 second" + rest
	}
	return status
}
