package client

import (
	"context"
	"net/http"
)

// Droplet is a container that behaves like a small server.
type Droplet struct {
	// ID is 12 hex characters.
	ID   string `json:"id"`
	Name string `json:"name"`
	// Created and Status are in Docker's words: "9 minutes ago"; "Up 8 minutes", "Exited (0) 2 hours ago".
	Created string `json:"created"`
	Status  string `json:"status"`
	// Ports are the ports of the droplet that can be reached from outside; none when it is stopped.
	Ports map[string]Port `json:"ports"`
	// PrivateKey is the SSH key of a droplet that was added without a box, in the answer to that alone.
	PrivateKey Secret `json:"privateKey,omitzero"`
}

// Port is where a port of a droplet can be reached.
type Port struct {
	// Type is "tcp" or "udp".
	Type string   `json:"type"`
	From PortFrom `json:"from"`
}

// PortFrom is an address of the host.
type PortFrom struct {
	IP   string `json:"ip"`
	Port int    `json:"port"`
}

// DropletOptions says more about a new droplet; nil says nothing.
type DropletOptions struct {
	// Image is one of those that the server allows; "" the first of them.
	Image string
	// Box takes the private SSH key as the entry droplets/NAME/ssh, which needs the permission createEntry. Without a
	// box the new droplet carries it as PrivateKey, once.
	Box string
	// Env fills variables of the droplet's environment, by their name, from entries of Box, by their key, which needs
	// the permission readEntry.
	Env map[string]string
	// EncryptionKey is what entries are written and read under, where it is another than the Client's.
	EncryptionKey EncryptionKey
}

const dropletPath = "/{droplet}"

// ListDroplets returns all droplets, newest first. Viewers may; managers may do what follows.
func (c *Client) ListDroplets(ctx context.Context) ([]Droplet, error) {
	return fetch[[]Droplet](ctx, c, get(accounts+"/droplet/list"))
}

// AddDroplet makes a droplet, and returns all of them. It returns ErrConflict when the host refused, ErrUnavailable when
// no host is set up or it does not answer.
func (c *Client) AddDroplet(ctx context.Context, options *DropletOptions) ([]Droplet, error) {
	with := orZero(options)
	k := post(accounts+"/droplet/add", struct {
		Image string            `json:"image,omitempty"`
		Box   string            `json:"box,omitempty"`
		Env   map[string]string `json:"env,omitempty"`
	}{with.Image, with.Box, with.Env}, http.StatusOK)
	if with.Box != "" {
		var err error
		if k.header, err = c.keyHeader(k, with.EncryptionKey); err != nil {
			return nil, err
		}
	}
	return fetch[[]Droplet](ctx, c, k)
}

// StartDroplet starts a droplet, and returns all of them. It returns ErrNotFound (droplet_not_found) for one that is none.
func (c *Client) StartDroplet(ctx context.Context, name string) ([]Droplet, error) {
	return c.changeDroplet(ctx, http.MethodPatch, "/droplet/start", name, true)
}

// StopDroplet stops a droplet, and returns all of them.
func (c *Client) StopDroplet(ctx context.Context, name string) ([]Droplet, error) {
	return c.changeDroplet(ctx, http.MethodPatch, "/droplet/stop", name, true)
}

// RestartDroplet stops and starts a droplet, and returns all of them.
func (c *Client) RestartDroplet(ctx context.Context, name string) ([]Droplet, error) {
	return c.changeDroplet(ctx, http.MethodPatch, "/droplet/restart", name, false)
}

// DeleteDroplet deletes a droplet, and the entry with its private key if nobody changed that, and returns those that are
// left. When it is unknown whether it worked, it is not sent again: the name could be that of a new droplet by then.
func (c *Client) DeleteDroplet(ctx context.Context, name string) ([]Droplet, error) {
	return c.changeDroplet(ctx, http.MethodDelete, "/droplet/delete", name, false)
}

func (c *Client) changeDroplet(ctx context.Context, method, path, name string, again bool) ([]Droplet, error) {
	return fetch[[]Droplet](ctx, c, call{
		method: method,
		path:   accounts + path + dropletPath,
		params: []string{name},
		want:   http.StatusOK,
		again:  again,
	})
}
