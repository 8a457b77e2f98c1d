package client

import "context"

// Welcome returns the line with which the server greets, which needs no token.
func (c *Client) Welcome(ctx context.Context) (string, error) {
	k := get("/")
	k.nobody = true
	got, err := c.do(ctx, k)
	if err != nil {
		return "", err
	}
	return string(got.body), nil
}

// Healthy returns nil when the process of the server lives. It is sent once, and needs no token.
func (c *Client) Healthy(ctx context.Context) error { return c.check(ctx, "/healthz") }

// Ready returns nil when the server can do its work, and ErrUnavailable when its database does not answer or it is
// stopping. It is sent once, and needs no token.
func (c *Client) Ready(ctx context.Context) error { return c.check(ctx, "/readyz") }

func (c *Client) check(ctx context.Context, path string) error {
	k := get(path)
	k.nobody, k.once = true, true
	return c.run(ctx, k)
}
