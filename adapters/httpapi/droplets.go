package httpapi

import (
	"context"
	"strconv"
	"time"

	"github.com/docker/go-units"
	"github.com/labstack/echo/v4"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/droplets"
)

// dropletLine is a droplet as clients read it.
type dropletLine struct {
	ID      string                     `json:"id"`
	Name    string                     `json:"name"`
	Created string                     `json:"created"`
	Status  string                     `json:"status"`
	Ports   map[string]publishedAnswer `json:"ports"`
	// PrivateKey is shown once, to whoever made the droplet.
	PrivateKey string `json:"privateKey,omitempty"`
}

type publishedAnswer struct {
	Type string      `json:"type"`
	From hostAddress `json:"from"`
}

type hostAddress struct {
	IP   string `json:"ip"`
	Port int    `json:"port"`
}

func (a *API) listDroplets(c echo.Context, by domain.Requester) error {
	list, err := a.Droplets.List(c.Request().Context(), by)
	if err != nil {
		return err
	}
	return answer(c, dropletLines(list))
}

func (a *API) addDroplet(c echo.Context, by domain.Requester) error {
	encryptionKey, err := takeEncryptionKey(c)
	if err != nil {
		return err
	}
	defer encryptionKey.Clear()
	var body struct {
		Image string            `json:"image"`
		Box   string            `json:"box"`
		Env   map[string]string `json:"env"`
	}
	if _, err := a.bindOptional(c, &body); err != nil {
		return err
	}
	added, err := a.Droplets.Add(c.Request().Context(), by,
		droplets.AddDroplet{
			Image:         body.Image,
			Box:           body.Box,
			Env:           body.Env,
			EncryptionKey: encryptionKey,
		})
	if err != nil {
		return err
	}
	defer added.PrivateKey.Clear()
	lines := dropletLines(added.Droplets)
	for i, droplet := range added.Droplets {
		if droplet.Container == added.Container {
			lines[i].PrivateKey = string(added.PrivateKey.Bytes())
		}
	}
	return answer(c, lines)
}

func (a *API) startDroplet(c echo.Context, by domain.Requester) error {
	return changeDroplet(c, by, a.Droplets.Start)
}

func (a *API) stopDroplet(c echo.Context, by domain.Requester) error {
	return changeDroplet(c, by, a.Droplets.Stop)
}

func (a *API) restartDroplet(c echo.Context, by domain.Requester) error {
	return changeDroplet(c, by, a.Droplets.Restart)
}

func (a *API) deleteDroplet(c echo.Context, by domain.Requester) error {
	return changeDroplet(c, by, a.Droplets.Delete)
}

func changeDroplet(c echo.Context, by domain.Requester,
	change func(ctx context.Context, by domain.Requester, name string) ([]domain.Droplet, error)) error {
	list, err := change(c.Request().Context(), by, param(c, "droplet"))
	if err != nil {
		return err
	}
	return answer(c, dropletLines(list))
}

func dropletLines(list []domain.Droplet) []dropletLine {
	now := time.Now()
	lines := make([]dropletLine, len(list))
	for i, droplet := range list {
		published := make(map[string]publishedAnswer, len(droplet.Ports))
		for _, port := range droplet.Ports {
			published[strconv.Itoa(port.Port)] = publishedAnswer{port.Protocol, hostAddress{port.HostIP, port.HostPort}}
		}
		// Docker's words, by Docker's own library.
		lines[i] = dropletLine{
			ID:      droplet.ShortID(),
			Name:    string(droplet.Name),
			Status:  droplet.Status,
			Ports:   published,
			Created: units.HumanDuration(now.Sub(droplet.CreatedAt)) + " ago",
		}
	}
	return lines
}
