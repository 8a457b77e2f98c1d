package sealing

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
)

// FORMAT of the authentication code of a backup's manifest (notation as in format.go):
//
//	manifest key = HKDF-SHA256(ikm = secret, salt = none, info = "lockbox/v1/backup-manifest", 32 bytes)
//	code         = HMAC-SHA256(manifest key, part("lockbox/backup-manifest") | part(manifest))
//
// secret is the decoded secret; manifest is the text of the manifest without its code.

const (
	manifestInfo  = "lockbox/v1/backup-manifest"
	manifestLabel = "lockbox/backup-manifest"
)

// ManifestAuthenticator computes and checks the authentication codes of manifests under one secret. Only a program with
// the secret can compute a code. If a manifest is authentic, such a program therefore made the dump whose hash is in
// the manifest. But the dump can contain hostile SQL. A user who can change the database can add functions and
// constraints to it, and a restore runs this code. A ManifestAuthenticator is safe for concurrent use.
type ManifestAuthenticator struct{ secret Secret }

// NewManifestAuthenticator returns an authenticator.
func NewManifestAuthenticator(secret Secret) *ManifestAuthenticator {
	return &ManifestAuthenticator{secret}
}

// Code returns the authentication code of a manifest.
func (a *ManifestAuthenticator) Code(manifest []byte) ([]byte, error) {
	return manifestCode(a.secret, manifest)
}

// Authentic reports whether the code belongs to the manifest. It returns false if there is no secret.
func (a *ManifestAuthenticator) Authentic(manifest, code []byte) bool {
	if a.secret.IsZero() {
		return false
	}
	want, err := manifestCode(a.secret, manifest)
	return err == nil && hmac.Equal(want, code)
}

// manifestCode computes the authentication code as FORMAT specifies.
func manifestCode(secret Secret, manifest []byte) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, secret.Bytes(), nil, manifestInfo, keyBytes)
	if err != nil {
		return nil, fmt.Errorf("derive the key of backup manifests: %w", err)
	}
	defer clear(key)
	code := keyedDigest((*[keyBytes]byte)(key), manifestLabel, string(manifest))
	return code[:], nil
}

// CheckSecret checks that the secrets unwrap all server keys of the database. If a key cannot be unwrapped, CheckSecret
// returns an error that wraps [ErrWrongSecret] and names the setting to correct. Unlike [OpenKeyring], it writes
// nothing. The first result is the number of keys, which is 0 for a new database. The second result is the number of
// keys that are still wrapped under the previous secret.
func CheckSecret(ctx context.Context, config KeyringConfig) (keys, underPrevious int, err error) {
	k, err := newKeyring(config)
	if err != nil {
		return 0, 0, err
	}
	rows, err := config.Store.List(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("list the server keys: %w", err)
	}
	opened, err := k.openAll(rows)
	for _, each := range opened {
		if each.underPrevious {
			underPrevious++
		}
	}
	return len(opened), underPrevious, err
}
