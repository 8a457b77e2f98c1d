// Package serverkeys holds the use cases of the server's own keys: what the operator does on the terminal after a
// change of the secret or a compromise. One file is one verb.
package serverkeys

import (
	"time"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// Config is what the use cases need. All fields are required.
type Config struct {
	Store   ports.Store
	Keyring ports.Keyring
	Entries ports.EntrySealer
	Account ports.AccountSealer
	Clock   ports.Clock
	IDs     ports.IDs
	// Grace is longer than any transaction of a server can last, so that what a server sealed under a key just before
	// it was retired has been committed when Grace is over.
	Grace time.Duration
}

// Service is the use cases of the server's keys.
type Service struct{ Config }

// New returns the use cases.
func New(config Config) *Service { return &Service{config} }

func (s *Service) event(action domain.Action, target string) domain.Event {
	event := domain.NewEvent(s.IDs.New(), action, domain.Requester{}, domain.Caller{}, s.Clock.Now()).To(target)
	event.ActorName = domain.OperatorActor
	return event
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
