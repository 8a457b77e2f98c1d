package serverkeys

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// APIKeysRevokedByRekey returns the API keys that a rekey of the server key for API keys would revoke. These are all
// stored API keys, because the signature of an API key cannot be moved to another server key.
func (s *Service) APIKeysRevokedByRekey(ctx context.Context) ([]ports.OwnedAPIKey, error) {
	repos := s.config.Store.Read()
	keys, err := repos.ServerKeys.List(ctx)
	if err != nil {
		return nil, err
	}
	var revoked []ports.OwnedAPIKey
	for _, key := range ofPurpose(keys, domain.KeyForAPIKeys) {
		signed, err := repos.SealedRows.TokensUnder(ctx, key.ID)
		if err != nil {
			return nil, err
		}
		revoked = append(revoked, signed...)
	}
	return revoked, nil
}
