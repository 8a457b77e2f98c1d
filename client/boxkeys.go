package client

import (
	"context"
	"errors"
	"net/http"
)

// keyIDHeader is the response header with the id of the key that a version is encrypted under.
const keyIDHeader = "X-Encryption-Key-Id"

// maxKeyChanges is the maximum number of times that one write is sent. A write is sent again if another member changed
// the key in the meantime.
const maxKeyChanges = 3

// BoxKeys finds the keys of boxes that have a keyring. Package client/keys implements it; set Config.Identity to the
// result of keys.NewHolder. Its methods are safe for concurrent use.
type BoxKeys interface {
	// CurrentKey fetches and verifies the keyring of a box, and returns the current key. It returns the zero key for a
	// box that has no keyring and, as far as the client knows, never had a keyring. After an error, the client must not
	// send any key.
	CurrentKey(ctx context.Context, c *Client, box string) (EncryptionKey, error)
	// KeyByID returns the key that has the given id in the keyring of a box. The id "" means the key of the versions
	// that were written before the box had a keyring; the result is the zero key if that key is unknown. For any other
	// id, KeyByID returns ErrKeyNotForThisBox if the keyring has no such key.
	KeyByID(ctx context.Context, c *Client, box, id string) (EncryptionKey, error)
}

// WithIdentity returns a Client that finds keys in the keyrings of boxes, and shares the connections of c. With a nil
// identity, the new Client uses no keyrings.
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

// readWithKey sends a request for which the server decrypts a version. If the version is encrypted under an earlier key
// of the keyring, it sends the request a second time with that key.
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

// writeWithKey sends a request for which the server encrypts a value. If another member changes the key at the same
// time, the server stores nothing, and writeWithKey sends the request again with the new key.
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

// withKey returns the call with an encryption key.
func (k call) withKey(key EncryptionKey) call {
	header := k.header.Clone()
	if header == nil {
		header = http.Header{}
	}
	header.Set(encryptionKeyHeader, key.Reveal())
	k.header = header
	return k
}
