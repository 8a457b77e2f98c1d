package client

import (
	"context"
	"errors"
	"net/http"
)

// keyIDHeader is the response header that contains the id of a version's encryption key.
const keyIDHeader = "X-Encryption-Key-Id"

// maxKeyChanges is the maximum number of attempts for one write. The client sends the write again if another member has
// changed the key in the meantime.
const maxKeyChanges = 3

// BoxKeys finds the keys of boxes that have a keyring. Package client/keys implements it; set Config.Identity to the
// result of keys.NewHolder. Its methods are safe for concurrent use.
type BoxKeys interface {
	// CurrentKey fetches and verifies the keyring of a box, and returns the current key. It returns the zero key if the
	// box has no keyring. If the client remembers a keyring of the box, but the server has none, CurrentKey returns
	// ErrKeyringMissing. After an error, the client must not send any key.
	CurrentKey(ctx context.Context, c *Client, box string) (EncryptionKey, error)
	// KeyByID returns the key with the given id from the keyring of a box. It returns ErrKeyNotForThisBox if the
	// keyring has no such key. Versions that are older than the keyring have no key id. For the empty id, KeyByID
	// returns the key of these versions. If that key is unknown, KeyByID returns the zero key without an error.
	KeyByID(ctx context.Context, c *Client, box, id string) (EncryptionKey, error)
}

// WithIdentity returns a Client that uses identity to find the keys of boxes. The new Client shares the connections of
// c. If identity is nil, the new Client uses no keyrings.
func (c *Client) WithIdentity(identity BoxKeys) *Client {
	other := *c
	other.config.Identity = identity
	return &other
}

// keyFor returns the encryption key for a request. The key in the options of the call takes precedence over the current
// key of the box's keyring. If the box has no keyring, keyFor uses the key of the Client. fromKeyring reports whether
// the key is from the keyring.
func (c *Client) keyFor(ctx context.Context, k call, box string, given EncryptionKey) (key EncryptionKey,
	fromKeyring bool, err error) {
	if given.IsZero() && c.config.Identity != nil {
		key, err = c.config.Identity.CurrentKey(ctx, c, box)
		if err != nil || !key.IsZero() {
			return key, err == nil, err
		}
	}
	if given.IsZero() {
		given = c.config.EncryptionKey
	}
	if given.IsZero() {
		failure := badKey("encryption_key_required",
			"there is no encryption key: set it in Config or in the call's options", ErrEncryptionKeyRequired)
		failure.Request = k.name()
		return EncryptionKey{}, false, failure
	}
	return given, false, nil
}

// readWithKey sends a read together with the key that keyFor returns. If that key is the current key of the keyring,
// but the value is encrypted under an earlier key of the keyring, readWithKey sends the request again with the earlier
// key.
func (c *Client) readWithKey(ctx context.Context, k call, box string, given EncryptionKey) (*response, error) {
	key, fromKeyring, err := c.keyFor(ctx, k, box, given)
	if err != nil {
		return nil, err
	}
	got, err := c.do(ctx, k.withKey(key))
	if !fromKeyring || !errors.Is(err, ErrEncryptionKeyMismatch) {
		return got, err
	}
	failure, _ := errors.AsType[*Error](err)
	other, keyErr := c.config.Identity.KeyByID(ctx, c, box, failure.KeyID)
	if keyErr != nil {
		return nil, keyErr
	}
	if other.IsZero() {
		return nil, err
	}
	return c.do(ctx, k.withKey(other))
}

// writeWithKey sends a write together with the key that encrypts the value. If another member has just changed the key,
// the server stores nothing. writeWithKey then sends the request again with the new key.
func (c *Client) writeWithKey(ctx context.Context, k call, box string, given EncryptionKey) (*response, error) {
	for change := 1; ; change++ {
		key, fromKeyring, err := c.keyFor(ctx, k, box, given)
		if err != nil {
			return nil, err
		}
		got, err := c.do(ctx, k.withKey(key))
		if !fromKeyring || !errors.Is(err, ErrKeyNotCurrent) || errors.Is(err, ErrOutcomeUnknown) ||
			change == maxKeyChanges {
			return got, err
		}
	}
}

// withKey returns a copy of the call, with the encryption key in a header.
func (k call) withKey(key EncryptionKey) call {
	header := k.header.Clone()
	if header == nil {
		header = http.Header{}
	}
	header.Set(encryptionKeyHeader, key.Reveal())
	k.header = header
	return k
}
