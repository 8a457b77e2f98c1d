package vault

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// ReadKeyring is the request to read a keyring of a box.
type ReadKeyring struct {
	Box string
	// Sequence is the number of an earlier keyring. 0 means the newest keyring.
	Sequence uint64
	// If All is true, the result also contains Keyring.Recipients, Due, Waiting and Past.
	All bool
	// Known is a function that reports whether the caller already has the keyring with the given tag.
	Known func(tag domain.Digest) bool
}

// KeyringView is the result of [Service.ReadKeyring]. It contains no secret. Its keys are wrapped, and only the
// recipient of a wrapped key can decrypt that key.
type KeyringView struct {
	Keyring domain.BoxKeyring
	Tag     domain.Digest
	// Unmodified is true if the caller already has this keyring. All fields below are then zero.
	Unmodified bool
	Author     domain.Identity
	// Wrapped is the box key, wrapped for the caller's current identity. It is nil if this identity is not a recipient.
	Wrapped []byte

	// Due lists the recipients who must no longer have the box key; see domain.KeyChangeDue.
	Due []domain.KeyRecipient
	// Waiting lists the active members who are not recipients.
	Waiting []domain.KeyringMember
	// Past lists the earlier keyrings that are still stored.
	Past []ports.PastKeyring
}

// ReadKeyring returns a keyring of a box. The active members of the box and admins may call it. ReadKeyring runs
// several SQL statements, so some fields of the result may show a concurrent change that the other fields do not show.
// If the requested keyring does not exist, ReadKeyring returns an error of kind NotFound with code keyring_not_found.
func (s *Service) ReadKeyring(ctx context.Context, by domain.Requester, in ReadKeyring) (KeyringView, error) {
	repos := s.config.Store.Read()
	access, err := s.authorize(ctx, repos, by, in.Box, domain.Access.See)
	if err != nil {
		return KeyringView{}, err
	}
	var view KeyringView
	if in.Sequence == 0 {
		view.Keyring, err = repos.BoxKeyrings.Newest(ctx, access.Box.ID)
	} else {
		view.Keyring, err = repos.BoxKeyrings.Get(ctx, access.Box.ID, in.Sequence)
	}
	if err != nil {
		return KeyringView{}, err
	}
	view.Tag = view.Keyring.Tag()
	if view.Unmodified = in.Known(view.Tag); view.Unmodified {
		return view, nil
	}
	if view.Author, err = repos.Identities.ByFingerprint(ctx, view.Keyring.Author); err != nil {
		return KeyringView{}, err
	}
	view.Wrapped, err = repos.BoxKeyrings.Wrapped(ctx, access.Box.ID, view.Keyring.Sequence, access.Caller.UserID)
	if err != nil || !in.All {
		return view, err
	}
	return view, s.addRecipients(ctx, repos, &view)
}

// addRecipients sets Keyring.Recipients, Due, Waiting and Past of the view.
func (s *Service) addRecipients(ctx context.Context, repos ports.Repos, view *KeyringView) error {
	box, sequence := view.Keyring.Box, view.Keyring.Sequence
	var err error
	if view.Keyring.Recipients, err = repos.BoxKeyrings.Recipients(ctx, box, sequence, true); err != nil {
		return err
	}
	members, err := repos.BoxKeyrings.Members(ctx, box)
	if err != nil {
		return err
	}
	view.Due = domain.KeyChangeDue(view.Keyring.Recipients, members)
	view.Waiting = domain.WaitingMembers(view.Keyring.Recipients, members)
	view.Past, err = repos.BoxKeyrings.Past(ctx, box, sequence)
	return err
}

// KeyringSummary contains the fields of a keyring that BoxDescription shows.
type KeyringSummary struct {
	Key      domain.KeyID
	Sequence uint64
	// ChangeDue is true if a recipient must no longer have the box key, so the key must be changed.
	ChangeDue bool
}

// summarize returns the summary of the newest keyring of a box, or nil if the box has no keyring.
func (s *Service) summarize(ctx context.Context, repos ports.Repos, box domain.Box) (*KeyringSummary, error) {
	if box.Key.IsZero() {
		return nil, nil
	}
	keyring, err := repos.BoxKeyrings.Newest(ctx, box.ID)
	if err != nil {
		return nil, err
	}
	recipients, err := repos.BoxKeyrings.Recipients(ctx, box.ID, keyring.Sequence, false)
	if err != nil {
		return nil, err
	}
	members, err := repos.BoxKeyrings.Members(ctx, box.ID)
	if err != nil {
		return nil, err
	}
	return &KeyringSummary{
		Key:       keyring.Key,
		Sequence:  keyring.Sequence,
		ChangeDue: len(domain.KeyChangeDue(recipients, members)) > 0,
	}, nil
}
