package client

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// APIKey describes an API key. It does not contain the key itself.
type APIKey struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"createdAt"`
	// ExpiresAt is the zero time for a key that never expires.
	ExpiresAt time.Time `json:"expiresAt,omitzero"`
	// LastUsedAt has a precision of one minute. It is the zero time for an unused key.
	LastUsedAt time.Time `json:"lastUsedAt,omitzero"`
}

// APIKeyOptions are options of IssueAPIKey. Nil means the defaults.
type APIKeyOptions struct {
	// Name is a label that helps to identify the key later.
	Name string
	// ExpiresAt is when the key expires, with a precision of one second. Set at most one of ExpiresAt and Expiry.
	ExpiresAt time.Time
	// Expiry is the key's lifetime in one of the server's formats: "10d12h10m", "10:12:10:00" and "P10DT12H10M" all
	// mean 10 days, 12 hours and 10 minutes. If neither ExpiresAt nor Expiry is set, the new key expires at the same
	// time as the API key that authenticates the call. If another kind of token authenticates the call, the new key
	// never expires.
	Expiry string
}

// IssueAPIKey creates an API key for the caller and returns it. The server does not show the key again. IssueAPIKey is
// not retried after a lost response.
func (c *Client) IssueAPIKey(ctx context.Context, options *APIKeyOptions) (Secret, error) {
	opts := orZero(options)
	if !opts.ExpiresAt.IsZero() {
		if opts.Expiry != "" {
			return Secret{}, invalid("invalid_expiry", "Expiry",
				"ExpiresAt and Expiry are both set: set only one of them")
		}
		opts.Expiry = opts.ExpiresAt.UTC().Format(time.RFC3339)
	}
	return c.apiKey(ctx, post("/api-keys", struct {
		Name   string `json:"name,omitempty"`
		Expiry string `json:"expiry,omitempty"`
	}{opts.Name, opts.Expiry}, http.StatusOK))
}

// apiKey sends a request whose response contains a new API key.
func (c *Client) apiKey(ctx context.Context, k call) (Secret, error) {
	got, err := fetch[struct {
		APIKey Secret `json:"apiKey"`
	}](ctx, c, k)
	if err != nil {
		return Secret{}, err
	}
	if got.APIKey.IsZero() {
		return Secret{}, badResponse(k, "the response contains no API key")
	}
	return got.APIKey, nil
}

// ListAPIKeys returns the caller's API keys that are not revoked, oldest first.
func (c *Client) ListAPIKeys(ctx context.Context) ([]APIKey, error) {
	return fetch[[]APIKey](ctx, c, get("/api-keys"))
}

// RevokeAPIKey revokes an API key by its id from ListAPIKeys. The id is part of the request path, and proxies log
// paths. If the argument id is a whole key, RevokeAPIKey therefore sends only the id that the key contains. Users can
// revoke only their own keys, and get ErrNotFound for any other key. Admins can revoke every key. RevokeAPIKey returns
// ErrConflict (last_api_key) if the user would have no usable key left.
func (c *Client) RevokeAPIKey(ctx context.Context, id string) error {
	return c.run(ctx, remove("/api-keys/{apiKey}", "api_key_not_found", apiKeyID(id)))
}

// apiKeyID returns the id that a whole API key contains. An API key is a JWT (RFC 7519). If the argument is an id,
// apiKeyID returns it unchanged. For any other text, such as an opaque access token, apiKeyID returns "". RevokeAPIKey
// then returns ErrInvalid and sends no request, because a path parameter must not be empty.
func apiKeyID(key string) string {
	const maxIDLength = 50 // above the 36 characters of a UUID and below the 64 of an access token
	parts := strings.Split(key, ".")
	if len(parts) == 1 && len(key) <= maxIDLength {
		return key
	}
	if len(parts) != 3 {
		return ""
	}
	var claims struct {
		ID string `json:"jti"`
	}
	text, err := canonical.DecodeString(parts[1])
	if err != nil || json.Unmarshal(text, &claims) != nil {
		return ""
	}
	return claims.ID
}
