package client

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// APIKey is what the server tells of an API key; never the key.
type APIKey struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"createdAt"`
	// ExpiresAt is the zero time when it never ends.
	ExpiresAt time.Time `json:"expiresAt,omitzero"`
	// LastUsedAt is to the minute; the zero time when it never was.
	LastUsedAt time.Time `json:"lastUsedAt,omitzero"`
}

// APIKeyOptions says more about a new API key; nil says nothing.
type APIKeyOptions struct {
	// Name helps to tell keys apart.
	Name string
	// ExpiresAt ends the key; the zero time leaves it to Expiry.
	ExpiresAt time.Time
	// Expiry ends the key as the server reads it: "10:12:10:00" is 10 days, 12 hours and 10 minutes, and so is
	// "P10DT12H10M". "" is never, or with the key that asks.
	Expiry string
}

// IssueAPIKey makes another API key of the user and returns it, this once.
func (c *Client) IssueAPIKey(ctx context.Context, options *APIKeyOptions) (Secret, error) {
	with := orZero(options)
	if !with.ExpiresAt.IsZero() {
		if with.Expiry != "" {
			return Secret{}, invalid("invalid_expiry", "Expiry", "ExpiresAt and Expiry are both set: set one of them")
		}
		with.Expiry = with.ExpiresAt.UTC().Format(time.RFC3339)
	}
	return c.apiKey(ctx, post("/api-keys", struct {
		Name   string `json:"name,omitempty"`
		Expiry string `json:"expiry,omitempty"`
	}{with.Name, with.Expiry}, http.StatusOK))
}

func (c *Client) apiKey(ctx context.Context, k call) (Secret, error) {
	made, err := fetch[struct {
		APIKey Secret `json:"apiKey"`
	}](ctx, c, k)
	if err != nil {
		return Secret{}, err
	}
	if made.APIKey.IsZero() {
		return Secret{}, badAnswer(k, "the answer has no API key")
	}
	return made.APIKey, nil
}

// ListAPIKeys returns the usable API keys of the user.
func (c *Client) ListAPIKeys(ctx context.Context) ([]APIKey, error) {
	return fetch[[]APIKey](ctx, c, get("/api-keys"))
}

// RevokeAPIKey ends an API key, by its id from ListAPIKeys. Its user may, and admins. Given a whole key, it takes the id
// out of it and sends that: a key in a path would stand in the logs of proxies. It returns ErrNotFound for a key of
// somebody else, ErrConflict (last_api_key) for the user's last usable one.
func (c *Client) RevokeAPIKey(ctx context.Context, id string) error {
	k := remove("/api-keys/{apiKey}", "api_key_not_found", apiKeyID(id))
	return c.run(ctx, k)
}

// apiKeyID returns the id of a whole API key, which is a JWT (RFC 7519), and anything that has none of its dots as it is.
// What is neither, such as a token of a session, becomes "", which is not sent.
func apiKeyID(key string) string {
	const longestID = 50
	parts := strings.Split(key, ".")
	if len(parts) == 1 && len(key) <= longestID {
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
