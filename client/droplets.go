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
	// PrivateKey is the private SSH key. It is set only in the result of AddDroplet, and only if DropletOptions.Box is
	// empty.
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
	// needs the permission createEntry in this box. If Box is "", AddDroplet returns the key in Droplet.PrivateKey.
	Box string
	// Env sets environment variables in the droplet. It maps the name of each variable to the key of an entry in Box.
	// The variable gets the value of this entry. Env requires the permission readEntry.
	Env map[string]string
	// EncryptionKey encrypts and decrypts the entries of Box. If it is set, the client uses it instead of the key of
	// the box's keyring or of the Client. In a box with a keyring, each entry that Env names must be encrypted under
	// the current key of the keyring.
	EncryptionKey EncryptionKey
}

const dropletPath = "/{droplet}"

// ListDroplets returns all droplets, newest first. The caller must belong to the group viewer, manager or owner.
func (c *Client) ListDroplets(ctx context.Context) ([]Droplet, error) {
	return fetch[[]Droplet](ctx, c, get(accountsPrefix+"/droplet/list"))
}

// AddDroplet creates a droplet and returns all droplets. It returns ErrConflict if the Docker host refuses to create
// the droplet, and ErrUnavailable if no host is configured or the host does not respond. AddDroplet is not retried
// after a lost response. Callers of AddDroplet and of the methods below must belong to the group manager or owner.
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

// DeleteDroplet deletes a droplet and returns the remaining droplets. It also deletes the entry that contains the
// droplet's private key, unless the entry has changed since AddDroplet stored it. DeleteDroplet is not retried after a
// lost response, because a new droplet may have taken the name in the meantime.
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
