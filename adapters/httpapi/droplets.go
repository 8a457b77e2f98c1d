package httpapi

import (
	"context"
	"strconv"
	"time"

	"github.com/docker/go-units"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/droplets"
)

// dropletLine is a droplet in a response. Created and Status use Docker's words, as in "9 minutes ago".
type dropletLine struct {
	ID      string                   `json:"id"`
	Name    string                   `json:"name"`
	Created string                   `json:"created"`
	Status  string                   `json:"status"`
	Ports   map[string]publishedPort `json:"ports"`
	// PrivateKey is shown once, in the response to the request that creates the droplet.
	PrivateKey string `json:"privateKey,omitempty"`
}

// publishedPort is the address at which clients reach a port of a droplet.
type publishedPort struct {
	Type string      `json:"type"`
	From hostAddress `json:"from"`
}

// hostAddress is an address of the droplet host.
type hostAddress struct {
	IP   string `json:"ip"`
	Port int    `json:"port"`
}

// listDroplets answers GET /api/v1/droplet/list with all droplets, newest first.
func (a *API) listDroplets(r *request) error {
	list, err := a.droplets.List(r.ctx(), r.by)
	return r.json(dropletLines(list), err)
}

// addDropletBody is the body of a request that creates a droplet. All fields are optional.
type addDropletBody struct {
	Image string            `json:"image"`
	Box   string            `json:"box"`
	Env   map[string]string `json:"env"`
}

// addDroplet answers POST /api/v1/droplet/add with the updated list of droplets. In this list, only the new droplet has
// a private key. If the body contains a box, the request must also contain an encryption key.
func (a *API) addDroplet(r *request) error {
	encryptionKey, err := r.encryptionKey()
	if err != nil {
		return err
	}
	defer encryptionKey.Clear()
	body, err := bindOptional[addDropletBody](r)
	if err != nil {
		return err
	}
	added, err := a.droplets.Add(r.ctx(), r.by, droplets.AddDroplet{
		Image:         body.Image,
		Box:           body.Box,
		Env:           body.Env,
		EncryptionKey: encryptionKey,
	})
	if err != nil {
		return err
	}
	defer added.PrivateKey.Clear() // after the response is written
	// Find the new droplet by its container. The new droplet need not be the first in the list, because another request
	// may have added a droplet in the same second.
	lines := dropletLines(added.Droplets)
	for i, droplet := range added.Droplets {
		if droplet.Container == added.Container {
			lines[i].PrivateKey = string(added.PrivateKey.Bytes())
		}
	}
	return r.json(lines, nil)
}

func (a *API) startDroplet(r *request) error { return r.changeDroplet(a.droplets.Start) }

func (a *API) stopDroplet(r *request) error { return r.changeDroplet(a.droplets.Stop) }

func (a *API) restartDroplet(r *request) error { return r.changeDroplet(a.droplets.Restart) }

func (a *API) deleteDroplet(r *request) error { return r.changeDroplet(a.droplets.Delete) }

// changeDroplet calls a use case for the droplet in the path and answers with the updated list.
func (r *request) changeDroplet(
	change func(ctx context.Context, by domain.Requester, name string) ([]domain.Droplet, error)) error {
	list, err := change(r.ctx(), r.by, r.param("droplet"))
	return r.json(dropletLines(list), err)
}

// dropletLines converts droplets to their form in responses. The ages of the droplets are relative to the time of the
// call.
func dropletLines(list []domain.Droplet) []dropletLine {
	now := time.Now()
	lines := make([]dropletLine, len(list))
	for i, droplet := range list {
		ports := make(map[string]publishedPort, len(droplet.Ports))
		for _, port := range droplet.Ports {
			ports[strconv.Itoa(port.Port)] = publishedPort{port.Protocol, hostAddress{port.HostIP, port.HostPort}}
		}
		lines[i] = dropletLine{
			ID:      droplet.ShortID(),
			Name:    string(droplet.Name),
			Created: units.HumanDuration(now.Sub(droplet.CreatedAt)) + " ago",
			Status:  droplet.Status,
			Ports:   ports,
		}
	}
	return lines
}
