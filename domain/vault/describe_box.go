package vault

import (
	"context"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// BoxDescription describes a box to its members and to admins.
type BoxDescription struct {
	Box   domain.Box
	Owner domain.UserName
	// Offer is the open offer of the ownership. It is zero if there is none.
	Offer domain.BoxOffer
	// UpdatedAt is the time of the latest change of the box, its members or its entries.
	UpdatedAt time.Time
	// Keys is empty, not nil, when the caller lacks readEntryKeys.
	Keys []domain.EntryKey
	// Users are all members, sorted by name, including inactive ones.
	Users []domain.BoxUser
	// Keyring is nil for a box without a keyring.
	Keyring *KeyringSummary
}

// DescribeBox returns the description of a box. Its active members and admins may call it; other callers get the error
// for a missing box. Several statements read the parts of the description, so a concurrent change may appear in only
// some parts.
func (s *Service) DescribeBox(ctx context.Context, by domain.Requester, box string) (BoxDescription, error) {
	repos := s.config.Store.Read()
	access, err := s.authorize(ctx, repos, by, box, domain.Access.See)
	if err != nil {
		return BoxDescription{}, err
	}
	described := BoxDescription{Box: access.Box, Keys: []domain.EntryKey{}}
	if described.Owner, described.UpdatedAt, err = repos.Boxes.Describe(ctx, access.Box.ID); err != nil {
		return BoxDescription{}, err
	}
	if described.Offer, err = repos.Boxes.Offer(ctx, access.Box.ID); err != nil {
		return BoxDescription{}, err
	}
	if !described.Offer.Open(s.config.Clock.Now()) {
		described.Offer = domain.BoxOffer{}
	}
	if described.Users, err = repos.BoxUsers.List(ctx, access.Box.ID); err != nil {
		return BoxDescription{}, err
	}
	if described.Keyring, err = s.summarize(ctx, repos, access.Box); err != nil {
		return BoxDescription{}, err
	}
	if access.SeesKeys() {
		described.Keys, err = repos.Entries.Keys(ctx, access.Box.ID, "")
	}
	return described, err
}
