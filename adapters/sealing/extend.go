package sealing

import (
	"context"
	"slices"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// Extend prepares the cipher for more envelopes. See ports.EntryCipher. It derives only keys that the cipher does not
// have yet. It authenticates all envelopes before the first derivation, so a tampered envelope causes no derivation.
func (c *entryCipher) Extend(ctx context.Context, key domain.EncryptionKey, sealed ...ports.Sealed) error {
	var missing []derivation
	for _, each := range sealed {
		b, err := c.sealer.openBlob(c.sealer.keyByID(ctx), each.Place, each.Envelope)
		if err != nil {
			return err
		}
		if c.sameKind(&b) && c.find(b.derivation) == nil && !slices.Contains(missing, b.derivation) {
			missing = append(missing, b.derivation)
		}
	}
	for _, from := range missing {
		if err := c.derive(ctx, key, from); err != nil {
			return err
		}
	}
	return nil
}
