package httpapi

import "github.com/lockbox-go/lockbox/domain/identity"

// apiKeyBody is a response with a new API key. This response is the only one that contains the key, unless
// LOCKBOX_SHOW_API_KEYS is on.
type apiKeyBody struct {
	APIKey string `json:"apiKey"`
}

// issueAPIKey answers POST /api-keys with a new API key of the caller. The body is optional; without an expiry, the key
// does not expire.
func (a *API) issueAPIKey(r *request) error {
	body, err := bindOptional[struct {
		Expiry string `json:"expiry"`
		Name   string `json:"name"`
	}](r)
	if err != nil {
		return err
	}
	key, err := a.identity.IssueAPIKey(r.ctx(), r.by, identity.IssueAPIKey{Expiry: body.Expiry, Name: body.Name})
	return r.json(apiKeyBody{key}, err)
}

// apiKeyLine describes an API key without showing it. ExpiresAt is null if the key does not expire. LastUsedAt is null
// if the key was never used.
type apiKeyLine struct {
	ID         string  `json:"id"`
	Name       string  `json:"name"`
	CreatedAt  *string `json:"createdAt"`
	ExpiresAt  *string `json:"expiresAt"`
	LastUsedAt *string `json:"lastUsedAt"`
}

// listAPIKeys answers GET /api-keys with the keys of the caller. Expired keys are listed until a sweep deletes them.
func (a *API) listAPIKeys(r *request) error {
	keys, err := a.identity.ListAPIKeys(r.ctx(), r.by)
	lines := make([]apiKeyLine, len(keys))
	for i, key := range keys {
		lines[i] = apiKeyLine{
			ID:         key.ID.String(),
			Name:       key.Name,
			CreatedAt:  rfc3339(key.CreatedAt),
			ExpiresAt:  rfc3339(key.ExpiresAt),
			LastUsedAt: rfc3339(key.LastUsedAt),
		}
	}
	return r.json(lines, err)
}

// revokeAPIKey answers DELETE /api-keys/{apiKey}. The path parameter is the id of an API key. Older clients send the
// whole key instead.
func (a *API) revokeAPIKey(r *request) error {
	return r.noContentJSON(a.identity.RevokeAPIKey(r.ctx(), r.by, r.param("apiKey")))
}
