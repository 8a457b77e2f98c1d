package vault

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// requestKey holds the encryption key of one request, and the cipher that was prepared from the key. Preparation is
// slow for a passphrase, so a request for several entries prepares only one cipher. If an entry was sealed with other
// parameters of key derivation, the cipher is extended. A requestKey is not safe for concurrent use.
type requestKey struct {
	domain.EncryptionKey
	sealer ports.EntrySealer
	// writes is set if the request will seal a value. The first derivation then uses the current parameters.
	writes bool

	cipher ports.EntryCipher // nil until the first prepare
	salt   domain.BoxSalt    // the salt that cipher seals with
}

// prepare creates or extends the cipher, so that it opens the given envelopes and, if the request writes, seals values
// in the box. It blocks on the queue of key derivations; see ports.EntrySealer.
func (k *requestKey) prepare(ctx context.Context, box domain.Box, sealed ...ports.Sealed) error {
	if k.cipher != nil && k.salt == box.Salt {
		return k.cipher.Extend(ctx, k.EncryptionKey, sealed...)
	}
	k.clear() // the box was deleted and created again, with another salt
	var err error
	if k.writes {
		k.cipher, err = k.sealer.Prepare(ctx, k.EncryptionKey, box.Salt, sealed...)
	} else {
		k.cipher, err = k.sealer.PrepareOpen(ctx, k.EncryptionKey, sealed...)
	}
	if err != nil {
		k.cipher = nil // an interface that holds a nil pointer is not nil
		return err
	}
	k.salt = box.Salt
	return nil
}

// clear overwrites the derived keys. The encryption key itself belongs to the caller of the use case, which clears it.
func (k *requestKey) clear() {
	if k.cipher != nil {
		k.cipher.Clear()
		k.cipher = nil
	}
}
