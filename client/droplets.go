package client

import (
	"context"
	"net/http"
)

// Droplet is a container on the Docker host that behaves like a small server.
type Droplet struct {
	// ID is the first 12 hexadecimal digits of the container's id.
	ID   string `json:"id"`
	Name string `json:"name"`
	// Created is the age in Docker's format, such as "9 minutes ago".
	Created string `json:"created"`
	// Status is the state in Docker's format, such as "Up 8 minutes" or "Exited (0) 2 hours ago".
	Status string `json:"status"`
	// Ports maps the droplet's port numbers to published addresses. It is empty for a stopped droplet.
	Ports map[string]Port `json:"ports"`
	// PrivateKey is the private SSH key. It is set only in the result of an AddDroplet call without a box.
	PrivateKey Secret `json:"privateKey,omitzero"`
}

// Port is the published address of a droplet's port.
type Port struct {
	// Type is "tcp" or "udp".
	Type string   `json:"type"`
	From PortFrom `json:"from"`
}

// PortFrom is an address and a port of the Docker host.
type PortFrom struct {
	IP   string `json:"ip"`
	Port int    `json:"port"`
}

// DropletOptions are options of AddDroplet. Nil means the defaults.
type DropletOptions struct {
	// Image is one of the images that the server allows; "" means the first of them.
	Image string
	// Box names the box in which the server stores the private SSH key, as the entry droplets/NAME/ssh. The caller
	// needs the permission createEntry in this box. If Box is "", the result contains the key in PrivateKey.
	Box string
	// Env maps names of environment variables of the droplet to keys of entries in Box. It requires the permission
	// readEntry.
	Env map[string]string
	// EncryptionKey encrypts and decrypts the entries of Box. It takes precedence over the key of the box's keyring and
	// over the Client's key. In a box with a keyring, all entries of Env must be encrypted under its current key.
	EncryptionKey EncryptionKey
}

const dropletPath = "/{droplet}"

// ListDroplets returns all droplets, newest first. Allowed for the group viewer and above.
func (c *Client) ListDroplets(ctx context.Context) ([]Droplet, error) {
	return fetch[[]Droplet](ctx, c, get(accountsPrefix+"/droplet/list"))
}

// AddDroplet creates a droplet and returns all droplets. It returns ErrConflict if the Docker host refuses, and
// ErrUnavailable if no host is configured or the host does not respond. It is not retried after a lost response.
// AddDroplet and the methods below are allowed for the group manager and above.
func (c *Client) AddDroplet(ctx context.Context, options *DropletOptions) ([]Droplet, error) {
	opts := orZero(options)
	k := post(accountsPrefix+"/droplet/add", struct {
		Image string            `json:"image,omitempty"`
		Box   string            `json:"box,omitempty"`
		Env   map[string]string `json:"env,omitempty"`
	}{opts.Image, opts.Box, opts.Env}, http.StatusOK)
	if opts.Box != "" {
		got, err := c.writeWithKey(ctx, k, opts.Box, opts.EncryptionKey)
		if err != nil {
			return nil, err
		}
		return decode[[]Droplet](got, k)
	}
	return fetch[[]Droplet](ctx, c, k)
}

// StartDroplet starts a droplet and returns all droplets. It returns ErrNotFound (droplet_not_found) if no droplet has
// the name.
func (c *Client) StartDroplet(ctx context.Context, name string) ([]Droplet, error) {
	return c.changeDroplet(ctx, http.MethodPatch, "/droplet/start", name, true)
}

// StopDroplet stops a droplet and returns all droplets. It returns the same errors as StartDroplet.
func (c *Client) StopDroplet(ctx context.Context, name string) ([]Droplet, error) {
	return c.changeDroplet(ctx, http.MethodPatch, "/droplet/stop", name, true)
}

// RestartDroplet stops and starts a droplet and returns all droplets. It returns the same errors as StartDroplet.
func (c *Client) RestartDroplet(ctx context.Context, name string) ([]Droplet, error) {
	return c.changeDroplet(ctx, http.MethodPatch, "/droplet/restart", name, false)
}

// DeleteDroplet deletes a droplet and returns the remaining droplets. It also deletes the entry with the private key of
// the droplet if that entry was not changed. DeleteDroplet is not retried after a lost response, because a new droplet
// may have taken the name in the meantime.
func (c *Client) DeleteDroplet(ctx context.Context, name string) ([]Droplet, error) {
	return c.changeDroplet(ctx, http.MethodDelete, "/droplet/delete", name, false)
}

func (c *Client) changeDroplet(ctx context.Context, method, path, name string, idempotent bool) ([]Droplet, error) {
	return fetch[[]Droplet](ctx, c, call{
		method:     method,
		path:       accountsPrefix + path + dropletPath,
		params:     []string{name},
		want:       http.StatusOK,
		idempotent: idempotent,
	})
}
