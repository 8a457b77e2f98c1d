package serverkeys

import (
	"context"

	"github.com/lockbox-go/lockbox/ports"
)

// KeyStatus is one server key as the operator sees it.
type KeyStatus struct {
	Key ports.ServerKey
	// UnderPrevious: it is still wrapped under the previous secret; rotate has not been run.
	UnderPrevious bool
}

// Status lists the server keys by purpose and generation.
func (s *Service) Status(ctx context.Context) ([]KeyStatus, error) {
	keys, err := s.Store.Read().ServerKeys.List(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]KeyStatus, len(keys))
	for i, key := range keys {
		list[i] = KeyStatus{Key: key, UnderPrevious: s.Keyring.WrappedUnderPrevious(key)}
	}
	return list, nil
}
