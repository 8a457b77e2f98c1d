// Package serverkeys holds the use cases of the server's own keys: the commands that an operator runs after a change of
// the secret or a compromise. Each file holds one use case.
//
// The server keys form a key ring, which has one current key for each purpose. Storage contains the server keys only in
// a form that is wrapped under the secret. Rotate wraps the same keys under a new secret. Rekey replaces the key of a
// purpose, and moves everything under the old key to the new key.
package serverkeys

import (
	"time"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// Config holds the dependencies of the use cases. All fields are required.
type Config struct {
	Store   ports.Store
	Keyring ports.Keyring
	// Entries rewraps the outer layer of entries. This does not require the keys of clients.
	Entries ports.EntrySealer
	// Account seals password hashes and TOTP secrets.
	Account ports.AccountSealer
	// Digests computes the keyed digests of recovery codes.
	Digests ports.TokenDigests
	Clock   ports.Clock
	IDs     ports.IDs
	// Grace is how long a rekey waits for all open transactions, including transactions of programs that are not
	// servers. Every transaction of a server is shorter than Grace.
	Grace time.Duration
}

// Service holds the use cases of the server's keys. It is safe for concurrent use.
type Service struct{ config Config }

// New returns the use cases.
func New(config Config) *Service { return &Service{config} }

// event returns the audit event of an operator's action on the keys.
func (s *Service) event(action domain.Action, target string) domain.Event {
	return domain.NewEvent(s.config.IDs.New(), action, domain.Requester{}, domain.Operator(), s.config.Clock.Now()).
		To(target)
}

// ofPurpose returns the keys of a purpose, oldest first.
func ofPurpose(keys []ports.ServerKey, purpose domain.KeyPurpose) []ports.ServerKey {
	var matching []ports.ServerKey
	for _, key := range keys {
		if key.Purpose == purpose {
			matching = append(matching, key)
		}
	}
	return matching
}
