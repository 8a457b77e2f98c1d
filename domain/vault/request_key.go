package vault

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// requestKey contains the encryption key of one request and the cipher that was prepared from the key. Preparing a
// cipher from a passphrase is slow, so a request for several entries prepares only one cipher. If the parameters of key
// derivation differ between entries, the request extends this cipher.
//
// A requestKey is not safe for concurrent use.
type requestKey struct {
	domain.EncryptionKey
	sealer ports.EntrySealer
	// The field "writes" is true if the request will seal a value. The cipher can then seal as well as open.
	writes bool

	cipher ports.EntryCipher // nil until the first prepare
	salt   domain.BoxSalt    // the salt that cipher seals with
}

// prepare creates the cipher, or extends it so that it also opens the given envelopes. If k.writes is true, the cipher
// can also seal values in the box. prepare may wait in the queue of key derivations; see ports.EntrySealer.
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

// clear overwrites the derived keys. It keeps the encryption key itself, which the caller of the use case clears.
func (k *requestKey) clear() {
	if k.cipher != nil {
		k.cipher.Clear()
		k.cipher = nil
	}
}
