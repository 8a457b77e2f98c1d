package client

import "context"

// Welcome returns the server's welcome text. It needs no token.
func (c *Client) Welcome(ctx context.Context) (string, error) {
	k := get("/")
	k.anonymous = true
	got, err := c.do(ctx, k)
	if err != nil {
		return "", err
	}
	return string(got.body), nil
}

// Healthy returns nil if the server process responds (liveness). Healthy needs no token, and the client does not retry
// it.
func (c *Client) Healthy(ctx context.Context) error { return c.check(ctx, "/healthz") }

// Ready returns nil if the server can serve requests (readiness). It returns ErrUnavailable if the database does not
// respond or the server is shutting down. Ready needs no token, and the client does not retry it.
func (c *Client) Ready(ctx context.Context) error { return c.check(ctx, "/readyz") }

// check sends a health request once. A retry could hide the failure that the caller wants to detect.
func (c *Client) check(ctx context.Context, path string) error {
	k := get(path)
	k.anonymous, k.noRetry = true, true
	return c.run(ctx, k)
}
