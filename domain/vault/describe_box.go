package vault

import (
	"context"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// BoxDescription is the result of [Service.DescribeBox].
type BoxDescription struct {
	Box   domain.Box
	Owner domain.UserName
	// Offer is the open offer of the box to a new owner. It is zero if there is none.
	Offer domain.BoxOffer
	// UpdatedAt is the time of the latest change to the box, its members or its entries.
	UpdatedAt time.Time
	// Keys lists the keys of the entries. It is never nil. It is empty if the caller does not have the permission
	// readEntryKeys.
	Keys []domain.EntryKey
	// Users lists all members, including inactive ones, sorted by name.
	Users []domain.BoxUser
	// Keyring is nil if the box has no keyring.
	Keyring *KeyringSummary
}

// DescribeBox returns the description of a box. The active members of the box and admins may call it. Other callers get
// the same error as for a box that does not exist. DescribeBox runs several SQL statements, so some fields of the
// result may show a concurrent change that the other fields do not show.
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
