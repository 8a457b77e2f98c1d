package vault

import (
	"context"
	"errors"
	"slices"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// WriteKeyring is the request to store a new keyring for a box.
type WriteKeyring struct {
	Box                    string
	Head, Chain, Signature []byte
	Recipients             []domain.KeyRecipient
	// Remove lists the members to remove from the box in the same transaction. If it is not empty, the keyring must
	// have a new key.
	Remove []string
	// Reset is for a box whose key is lost. With Reset, the caller need not be a recipient of the stored keyring.
	Reset     bool
	Condition KeyringCondition
}

// KeyringCondition states which stored keyring the request may replace. The zero condition is never satisfied.
type KeyringCondition struct {
	// First requires that the box has no keyring.
	First bool
	// Any requires that the box has a keyring. If neither First nor Any is set, the box must have a keyring whose tag
	// is one of Tags.
	Any  bool
	Tags []domain.Digest
}

// WrittenKeyring is the result of WriteKeyring.
type WrittenKeyring struct {
	Key      domain.KeyID
	Sequence uint64
	Tag      domain.Digest
	// First is true if the box had no keyring before.
	First bool
}

// WriteKeyring stores a new keyring for a box and removes the members in Remove, in one transaction. After the commit,
// a value can be written only under the box key of the new keyring. Only clients can check the wrapped keys and the
// chain.
//
// WriteKeyring returns the first of these errors that applies:
//
//   - the errors of Access.Manage
//   - for a reset, the errors of Access.ResetKeyring; for any other request, ErrNotRecipient
//   - ErrKeyringChanged
//   - an error with code keyring_invalid
//   - ErrKeyringSequence and ErrKeyChangeRequired
//   - the errors of RemoveBoxUser
//   - an error with code recipient_stale
//   - ErrKeyIDUsed
func (s *Service) WriteKeyring(ctx context.Context, by domain.Requester, in WriteKeyring) (WrittenKeyring, error) {
	repos := s.config.Store.Read()
	access, err := s.authorize(ctx, repos, by, in.Box, in.decide)
	if err != nil {
		return WrittenKeyring{}, err
	}
	if _, err := s.replaceable(ctx, repos, access, in); err != nil {
		return WrittenKeyring{}, err
	}
	// Do this before locking the box. Hashing a thousand wrapped keys takes milliseconds, and other requests would wait
	// for the lock.
	keyring, err := domain.NewBoxKeyring(in.Head, in.Chain, in.Signature, in.Recipients)
	if err != nil {
		return WrittenKeyring{}, err
	}
	if err := keyring.CheckPlace(s.config.Installation, access.Box.ID); err != nil {
		return WrittenKeyring{}, err
	}
	if err := checkAuthor(ctx, repos, access.Caller, keyring); err != nil {
		return WrittenKeyring{}, err
	}
	written := WrittenKeyring{Key: keyring.Key, Sequence: keyring.Sequence, Tag: keyring.Tag()}
	err = s.change(ctx, by, in.Box, in.decide,
		s.membership(func(ctx context.Context, repos ports.Repos, access domain.Access) error {
			stored, err := s.replaceable(ctx, repos, access, in)
			if err != nil {
				return err
			}
			written.First = stored.Sequence == 0
			return s.replaceKeyring(ctx, repos, keyringChange{
				by:      by,
				access:  access,
				stored:  stored,
				keyring: keyring,
				remove:  in.Remove,
				reset:   in.Reset,
			})
		}))
	return written, err
}

// decide returns an error if the role of the caller does not permit the request.
func (in WriteKeyring) decide(access domain.Access) error {
	if err := access.Manage(); err != nil || !in.Reset {
		return err
	}
	return access.ResetKeyring()
}

// replaceable returns the stored keyring if the caller may replace it and the condition is satisfied. If the box has no
// keyring, and the condition requires this, the result is the zero BoxKeyring.
func (s *Service) replaceable(ctx context.Context, repos ports.Repos, access domain.Access,
	in WriteKeyring) (domain.BoxKeyring, error) {
	stored, err := repos.BoxKeyrings.Newest(ctx, access.Box.ID)
	switch {
	case errors.Is(err, domain.ErrKeyringNotFound):
		if !in.Condition.First {
			return domain.BoxKeyring{}, domain.ErrKeyringChanged
		}
		return domain.BoxKeyring{}, nil
	case err != nil:
		return domain.BoxKeyring{}, err
	}
	if stored.Recipients, err = repos.BoxKeyrings.Recipients(ctx, stored.Box, stored.Sequence, false); err != nil {
		return domain.BoxKeyring{}, err
	}
	if !in.Reset && !stored.HasRecipient(access.Caller.UserID) {
		return domain.BoxKeyring{}, domain.ErrNotRecipient
	}
	if in.Condition.First || !in.Condition.Any && !slices.Contains(in.Condition.Tags, stored.Tag()) {
		return domain.BoxKeyring{}, domain.ErrKeyringChanged
	}
	return stored, nil
}

// checkAuthor returns an error if the keyring is not signed with the caller's current identity.
func checkAuthor(ctx context.Context, repos ports.Repos, caller domain.Caller, keyring domain.BoxKeyring) error {
	author, err := repos.Identities.Current(ctx, caller.UserID)
	if err != nil && !errors.Is(err, domain.ErrIdentityNotFound) {
		return err
	}
	return keyring.CheckSignature(author) // author is zero if the caller has no identity
}

// keyringChange contains the arguments of replaceKeyring.
type keyringChange struct {
	by     domain.Requester
	access domain.Access
	// The field "stored" contains the newest keyring that is stored, with its recipients. It is zero if the box has no
	// keyring yet. The field "keyring" contains the new keyring.
	stored, keyring domain.BoxKeyring
	remove          []string
	reset           bool
}

// replaceKeyring checks that the new keyring may follow the stored one, removes the members in change.remove, checks
// that all recipients are members, and stores the new keyring. The transaction must hold the lock on the box.
func (s *Service) replaceKeyring(ctx context.Context, repos ports.Repos, change keyringChange) error {
	keyring, box := change.keyring, change.access.Box
	if err := checkAuthor(ctx, repos, change.access.Caller, keyring); err != nil {
		return err
	}
	if err := keyring.CheckSuccessor(change.stored, len(change.remove) > 0, change.reset); err != nil {
		return err
	}
	for _, name := range change.remove {
		if err := s.removeMember(ctx, repos, change.by, change.access, name); err != nil {
			return err
		}
	}
	members, err := repos.BoxKeyrings.Members(ctx, box.ID)
	if err != nil {
		return err
	}
	if err := keyring.CheckRecipients(members); err != nil {
		return err
	}
	keyring.CreatedAt = s.config.Clock.Now()
	if err := repos.BoxKeyrings.Add(ctx, keyring); err != nil {
		return err
	}
	summary := keyring.Describe(change.stored, members, change.reset)
	return repos.Events.Append(ctx, s.event(domain.ActionWriteKeyring, change.by, change.access).To(summary))
}
