// Package serverkeys holds the use cases of the server's own keys: the commands that an operator runs after a change of
// the secret or a compromise. Each file holds one use case.
//
// The server keys form a ring with one key in use for each purpose. They are stored wrapped under the secret. Rotate
// changes the wrapping; Rekey replaces a key and everything under it.
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
	// Entries rewraps the outer layer of entries. This needs no key of a client.
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

// event is the audit event of an operator's action on the keys.
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
