// Package serverkeys contains the use cases of the server's own keys. An operator runs them as commands, after a change
// of the secret or after a compromise.
//
// The server keys form a key ring, which has one current key for each purpose. The database contains the server keys,
// but only wrapped under the server's secret. Rotate wraps the same keys under a new secret. Rekey replaces the key of
// one purpose, and moves the rows under the old key to the new key.
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
	// Entries rewraps the outer layer of entries. It needs no encryption keys of clients for this.
	Entries ports.EntrySealer
	// Account seals password hashes, TOTP secrets and locked identities.
	Account ports.AccountSealer
	// Digests computes the keyed digests of recovery codes.
	Digests ports.TokenDigests
	Clock   ports.Clock
	IDs     ports.IDs
	// Grace is the time for which a rekey waits for all open transactions, including the transactions of other
	// programs. It is longer than any transaction of a server.
	Grace time.Duration
}

// Service holds the use cases of the server's keys. It is safe for concurrent use.
type Service struct{ config Config }

// New returns the use cases.
func New(config Config) *Service { return &Service{config} }

// event returns the audit event of an action that an operator performs on the server keys.
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
