package identity

import (
	"context"
	"errors"
	"time"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// InviteUser is the request to invite a user. The invited user chooses the password later.
type InviteUser struct {
	// Username is displayed in the letter case of the request. The name of the user is Username in lower case.
	Username string
	// Role is "user" or "admin", in any letter case. An empty Role means "user".
	Role string
	// Expiry is the time when the invitation expires, in one of the forms that domain.ParseExpiry accepts. It is at
	// most 30 days from now. An empty Expiry means seven days.
	Expiry string
}

// Invited is a new invitation.
type Invited struct {
	Invitation domain.Invitation
	// Code is shown only in this result.
	Code domain.InvitationCode
}

// InviteUser creates an invitation. It replaces an earlier invitation for the same name. Only admins may call it. It
// creates no user, and another user can still take the name. Errors: Conflict with code user_exists or limit_reached.
func (s *Service) InviteUser(ctx context.Context, by domain.Requester, in InviteUser) (Invited, error) {
	if _, err := s.gate.Admin(ctx, s.store.Read(), by); err != nil {
		return Invited{}, err
	}
	invited, err := s.newInvitation(in)
	if err != nil {
		return Invited{}, err
	}
	err = s.store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		// The lock serialises this transaction with a demotion of the caller. It also serialises concurrent
		// invitations, so that their number cannot exceed the quota.
		if _, err := repos.System.Lock(ctx); err != nil {
			return err
		}
		caller, err := s.gate.Admin(ctx, repos, by)
		if err != nil {
			return err
		}
		invited.Invitation.Inviter, invited.Invitation.InviterName = caller.UserID, caller.Name
		terms := invited.Invitation.Terms(invited.Code)
		invited.Invitation.Proof, invited.Invitation.SignedBy = s.config.TokenDigests.Invitation(terms...)
		before, err := replaceInvitation(ctx, repos, invited.Invitation)
		if err != nil {
			return err
		}
		event := s.gate.Event(domain.ActionInvite, by, caller).To(string(invited.Invitation.Name))
		return repos.Events.Append(ctx, event.Changed(invited.Invitation.ChangesFrom(before)...))
	})
	return invited, err
}

// newInvitation parses the request and returns an invitation with a new code. The caller must set the inviter and the
// proof.
func (s *core) newInvitation(in InviteUser) (Invited, error) {
	name, err := domain.ParseUserName(in.Username)
	if err != nil {
		return Invited{}, err
	}
	role := domain.RoleUser
	if in.Role != "" {
		if role, err = domain.ParseRole(in.Role); err != nil {
			return Invited{}, err
		}
	}
	now := s.clock.Now()
	expiry, err := domain.ParseInvitationExpiry(in.Expiry, now)
	if err != nil {
		return Invited{}, err
	}
	code := domain.NewInvitationCode(s.ids.New())
	return Invited{Code: code, Invitation: domain.Invitation{
		ID:        code.ID,
		Name:      name,
		Spelling:  in.Username,
		Role:      role,
		CreatedAt: now,
		ExpiresAt: expiry,
	}}, nil
}

// replaceInvitation stores an invitation and deletes the earlier invitation for the same name, if there is one. It
// returns the earlier invitation or the zero invitation. The caller must hold the lock on the system.
func replaceInvitation(ctx context.Context, repos ports.Repos, invitation domain.Invitation) (before domain.Invitation,
	err error) {
	if _, err := repos.Users.Get(ctx, invitation.Name); err == nil {
		return before, domain.ErrUserExists
	} else if !errors.Is(err, domain.NotFound) {
		return before, err
	}
	if before, err = repos.Invitations.DeleteByName(ctx, invitation.Name); err != nil {
		return before, err
	}
	count, err := repos.Invitations.Count(ctx)
	if err != nil {
		return before, err
	}
	if err := domain.CheckInvitationQuota(count); err != nil {
		return before, err
	}
	return before, repos.Invitations.Add(ctx, invitation)
}

// proves reports whether code belongs to invitation. It computes the proof, which is a keyed digest, and compares it
// with the stored proof. If SignedBy is zero, an older release made the stored proof, with the server key that
// s.config.Digests uses.
//
// An attacker who can write to the database can change SignedBy, but has neither server key and cannot make a valid
// proof.
func (s *core) proves(code domain.InvitationCode, invitation domain.Invitation) bool {
	terms := invitation.Terms(code)
	proof, _ := s.config.TokenDigests.Invitation(terms...)
	if former := s.config.Digests.Digest("invitation", terms...); invitation.SignedBy.IsZero() {
		proof = former
	}
	return proof.Equal(invitation.Proof)
}

// openInvitation returns the open invitation that a code belongs to. It returns ErrInvitationInvalid, always after the
// same work, in these cases:
//
//   - the code is unknown
//   - the invitation was revoked, used or replaced, or it has expired
//   - the inviter is no longer an active admin
func (s *core) openInvitation(ctx context.Context, repos ports.Repos, text string,
	now time.Time) (domain.Invitation, error) {
	code, _ := domain.ParseInvitationCode(text) // other text gives the zero code, which no invitation has
	invitation, err := repos.Invitations.Get(ctx, code.ID)
	if err != nil && !errors.Is(err, domain.NotFound) {
		return domain.Invitation{}, err
	}
	proven := s.proves(code, invitation)
	inviter, err := repos.Users.ByID(ctx, invitation.Inviter)
	if err != nil && !errors.Is(err, domain.NotFound) {
		return domain.Invitation{}, err
	}
	if !proven {
		return domain.Invitation{}, domain.ErrInvitationInvalid
	}
	return invitation, invitation.CheckAcceptable(inviter, now)
}
