package identity_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/identity"
	"github.com/lockbox-go/lockbox/ports"
	"github.com/lockbox-go/lockbox/tests/usecases"
)

// invite creates an invitation in the name of the owner and returns its code.
func (f fixture) invite(in identity.InviteUser) string {
	f.t.Helper()
	invited, err := f.service.InviteUser(f.ctx, f.owner, in)
	require.NoError(f.t, err)
	return invited.Code.String()
}

// join sends a request to accept an invitation, from the given address.
func (f fixture) join(address, code, password string) error {
	_, err := f.service.AcceptInvitation(f.ctx, usecases.From(address),
		identity.AcceptInvitation{Code: code, Password: password})
	return err
}

// TestInvitation verifies that the invited user has the role of the invitation, the password that the user chose, and
// no API key.
func TestInvitation(t *testing.T) {
	t.Parallel()
	f := open(t)
	code := f.invite(identity.InviteUser{Username: "Anna", Role: "ADMIN"})
	listed, err := f.service.ListInvitations(f.ctx, f.owner)
	require.NoError(t, err)
	require.Len(t, listed, 1)
	require.Equal(t, domain.UserName("anna"), listed[0].Name)
	require.Equal(t, domain.UserName("root"), listed[0].InviterName)
	require.Equal(t, 7*24*time.Hour, listed[0].ExpiresAt.Sub(listed[0].CreatedAt.Truncate(time.Second)))
	_, err = f.service.DescribeUser(f.ctx, f.owner, "anna")
	require.ErrorIs(t, err, domain.ErrUserNotFound, "an invitation is no user")

	require.NoError(t, f.join(home, code, "her-password"))
	require.NoError(t, f.guess(home, "anna", "her-password"))
	described, err := f.service.DescribeUser(f.ctx, f.owner, "anna")
	require.NoError(t, err)
	require.Equal(t, domain.RoleAdmin, described.User.Role)
	require.Equal(t, "Anna", described.User.Spelling)
	require.Empty(t, described.APIKeys)
	listed, err = f.service.ListInvitations(f.ctx, f.owner)
	require.NoError(t, err)
	require.Empty(t, listed)
	require.Equal(t, []string{"root success anna"}, f.Audited(t, domain.ActionInvite))
	require.Equal(t, []string{"anna success anna"}, f.Audited(t, domain.ActionJoin))
}

// TestInvitationInvalid verifies that the same error is returned for every code that belongs to no open invitation, and
// that each refusal is audited.
func TestInvitationInvalid(t *testing.T) {
	t.Parallel()
	f := openWith(t, 100)
	admin := f.user("boss", "admin")
	made := func(by domain.Requester, name string) string {
		invited, err := f.service.InviteUser(f.ctx, by, identity.InviteUser{Username: name, Expiry: "1:00:00:00"})
		require.NoError(t, err)
		return invited.Code.String()
	}
	used := made(f.owner, "used")
	require.NoError(t, f.join(home, used, "password"))
	revoked := made(f.owner, "revoked")
	require.NoError(t, f.service.RevokeInvitation(f.ctx, f.owner, "REVOKED"))
	replaced := made(f.owner, "replaced")
	made(f.owner, "replaced")
	demoted, deactivated, deleted := made(admin, "demoted"), made(f.user("off", "admin"), "deactivated"),
		made(f.user("left", "admin"), "deleted")
	require.NoError(t, f.update(f.owner, identity.UpdateUser{Username: "boss", Role: to("user")}))
	require.NoError(t, f.update(f.owner, identity.UpdateUser{Username: "off", Active: to(false)}))
	require.NoError(t, f.service.DeleteUser(f.ctx, f.owner, "left"))
	expired := made(f.owner, "expired")
	f.Clock.Advance(24*time.Hour + time.Second)
	open := made(f.owner, "open")
	codes := map[string]string{
		"used": used, "revoked": revoked, "replaced": replaced, "expired": expired,
		"of a demoted admin": demoted, "of a deactivated admin": deactivated, "of a deleted admin": deleted,
		"unknown": domain.NewInvitationCode(f.IDs.New()).String(), "empty": "", "no code": "no code",
		"cut": open[1:], "with a blank": open + " ", "of another secret": open[:len(open)-2] + "AA",
	}
	for name, code := range codes {
		require.ErrorIs(t, f.join(home, code, "password"), domain.ErrInvitationInvalid, name)
	}
	require.Len(t, f.Audited(t, domain.ActionJoin), 1+len(codes))
	require.NoError(t, f.join(home, open, "password"))
}

// TestInvitationPassword verifies that an invitation stays open after a request whose password is refused, and that
// such a request does not count as an attempt.
func TestInvitationPassword(t *testing.T) {
	t.Parallel()
	f := openWith(t, 1)
	code := f.invite(identity.InviteUser{Username: "anna"})
	for range 20 {
		for _, password := range []string{"", "short", "\xff\xfe\xfd\xfc\xfb\xfa"} {
			require.ErrorIs(t, f.join(stranger, code, password), domain.Invalid)
		}
	}
	f.Passwords.Busy.Store(true)
	require.ErrorIs(t, f.join(stranger, code, "password"), domain.Unavailable)
	f.Passwords.Busy.Store(false)
	require.NoError(t, f.join(stranger, code, "password"))
	require.Equal(t, []string{"anna success anna"}, f.Audited(t, domain.ActionJoin))
}

// TestInvitationNameTaken verifies that an invitation does not reserve its name, and that it stays open while another
// user has the name.
func TestInvitationNameTaken(t *testing.T) {
	t.Parallel()
	f := open(t)
	code := f.invite(identity.InviteUser{Username: "anna"})
	f.user("anna", "user")
	require.ErrorIs(t, f.join(home, code, "password"), domain.ErrUserExists)
	_, err := f.service.InviteUser(f.ctx, f.owner, identity.InviteUser{Username: "ANNA"})
	require.ErrorIs(t, err, domain.ErrUserExists)
	require.NoError(t, f.service.DeleteUser(f.ctx, f.owner, "anna"))
	require.NoError(t, f.join(home, code, "password"))
}

// TestInvitationOnce verifies that exactly one of many concurrent acceptances succeeds.
func TestInvitationOnce(t *testing.T) {
	t.Parallel()
	f := openWith(t, 100)
	code := f.invite(identity.InviteUser{Username: "anna"})
	var group sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		group.Go(func() { errs[i] = f.join(fmt.Sprint("10.0.0.", i), code, fmt.Sprint("password-", i)) })
	}
	group.Wait()
	joined := 0
	for i, err := range errs {
		if err != nil {
			require.ErrorIs(t, err, domain.ErrInvitationInvalid)
			continue
		}
		joined++
		require.NoError(t, f.guess(home, "anna", fmt.Sprint("password-", i)))
	}
	require.Equal(t, 1, joined)
}

// TestInvitationDecidesAgain verifies that an invitation cannot be accepted if it becomes invalid while the password is
// hashed.
func TestInvitationDecidesAgain(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(fixture) error{
		"revoked": func(f fixture) error { return f.service.RevokeInvitation(f.ctx, f.owner, "anna") },
		"demoted": func(f fixture) error {
			return f.update(f.owner, identity.UpdateUser{Username: "boss", Role: to("user")})
		},
		"expired": func(f fixture) error { f.Clock.Advance(31 * 24 * time.Hour); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := open(t)
			invited, err := f.service.InviteUser(f.ctx, f.user("boss", "admin"), identity.InviteUser{Username: "anna"})
			require.NoError(t, err)
			f.Passwords.During = func() { require.NoError(t, change(f)) }
			require.ErrorIs(t, f.join(home, invited.Code.String(), "password"), domain.ErrInvitationInvalid)
			_, err = f.service.DescribeUser(f.ctx, f.owner, "anna")
			require.ErrorIs(t, err, domain.ErrUserNotFound)
		})
	}
}

// TestInvitationRateLimit verifies that too many wrong codes lock out the address that sent them, and that the lockout
// has one audit event. The right code is refused during the lockout and accepted after it.
func TestInvitationRateLimit(t *testing.T) {
	t.Parallel()
	f := openWith(t, 1) // 40 for an address
	code := f.invite(identity.InviteUser{Username: "anna"})
	for range 40 {
		require.ErrorIs(t, f.join(stranger, "wrong", "password"), domain.ErrInvitationInvalid)
	}
	for range 3 {
		require.ErrorIs(t, f.join(stranger, code, "password"), domain.RateLimited)
	}
	require.Len(t, f.Audited(t, domain.ActionJoin), 41)
	f.Clock.Advance(30 * time.Second)
	require.NoError(t, f.join(stranger, code, "password"))
}

// TestInvitationForged verifies that an invitation is refused after an attacker has changed one of its columns in the
// database.
func TestInvitationForged(t *testing.T) {
	t.Parallel()
	f := openWith(t, 100)
	for column, value := range map[string]string{
		"role":       `'admin'`,
		"name":       `'other'`,
		"spelling":   `'Other'`,
		"expires_at": `expires_at + interval '1 year'`,
		"inviter_id": `(SELECT id FROM users WHERE name = 'boss')`,
		"proof":      `sha256(proof)`,
		"id":         `gen_random_uuid()`,
	} {
		if column == "inviter_id" {
			f.user("boss", "admin")
		}
		code := f.invite(identity.InviteUser{Username: "anna"})
		f.Execute(t, `UPDATE invitations SET `+column+` = `+value)
		require.ErrorIs(t, f.join(home, code, "password"), domain.ErrInvitationInvalid, column)
		f.Execute(t, `DELETE FROM invitations`)
	}
}

// TestInvitationIsForAdmins verifies that only admins manage invitations, and that other callers never learn whether
// an invitation exists.
func TestInvitationIsForAdmins(t *testing.T) {
	t.Parallel()
	f := open(t)
	user := f.user("user", "user")
	f.invite(identity.InviteUser{Username: "anna"})
	_, err := f.service.InviteUser(f.ctx, user, identity.InviteUser{Username: "anna"})
	require.ErrorIs(t, err, domain.ErrAdminOnly)
	_, err = f.service.ListInvitations(f.ctx, user)
	require.ErrorIs(t, err, domain.ErrAdminOnly)
	for _, name := range []string{"anna", "ghost"} {
		require.ErrorIs(t, f.service.RevokeInvitation(f.ctx, user, name), domain.ErrAdminOnly)
	}
	require.NoError(t, f.service.RevokeInvitation(f.ctx, f.owner, "anna"))
	for _, name := range []string{"anna", "ghost", "no name at all"} {
		require.ErrorIs(t, f.service.RevokeInvitation(f.ctx, f.owner, name), domain.ErrInvitationNotFound)
	}
	require.Equal(t, []string{"root success anna"}, f.Audited(t, domain.ActionUninvite))
}

// TestInvitationLimit verifies that the number of open invitations is limited. An open invitation can be replaced
// when the limit is reached.
func TestInvitationLimit(t *testing.T) {
	t.Parallel()
	f := open(t)
	code := f.invite(identity.InviteUser{Username: "anna"})
	require.NoError(t, f.Store.Do(f.ctx, func(ctx context.Context, repos ports.Repos) error {
		first, err := repos.Invitations.List(ctx, f.Clock.Now())
		for i := range domain.MaxInvitations - 1 {
			more := first[0]
			more.ID, more.Name = f.IDs.New(), domain.UserName(fmt.Sprint("user-", i))
			err = errors.Join(err, repos.Invitations.Add(ctx, more))
		}
		return err
	}))
	_, err := f.service.InviteUser(f.ctx, f.owner, identity.InviteUser{Username: "boris"})
	require.Equal(t, "limit_reached", domain.CodeOf(err))
	f.invite(identity.InviteUser{Username: "anna"})
	require.ErrorIs(t, f.join(home, code, "password"), domain.ErrInvitationInvalid)
}

// TestInvitationStates verifies that ListInvitations returns the state of each invitation, and that only the
// invitations whose state is open can be accepted.
func TestInvitationStates(t *testing.T) {
	t.Parallel()
	f := openWith(t, 100)
	codes := map[domain.UserName]string{}
	made := func(by domain.Requester, name string) {
		invited, err := f.service.InviteUser(f.ctx, by, identity.InviteUser{Username: name})
		require.NoError(t, err)
		codes[domain.UserName(name)] = invited.Code.String()
	}
	boss, off, left := f.user("boss", "admin"), f.user("off", "admin"), f.user("left", "admin")
	made(boss, "of-demoted")
	made(off, "of-deactivated")
	made(left, "of-deleted")
	made(f.owner, "taken")
	made(f.owner, "open")
	states := func() map[domain.UserName]domain.InvitationState {
		listed, err := f.service.ListInvitations(f.ctx, f.owner)
		require.NoError(t, err)
		found := map[domain.UserName]domain.InvitationState{}
		for _, each := range listed {
			found[each.Name] = each.State
		}
		return found
	}
	for name, state := range states() {
		require.Equal(t, domain.InvitationOpen, state, name)
	}
	require.Len(t, states(), 5)
	require.NoError(t, f.update(f.owner, identity.UpdateUser{Username: "boss", Role: to("user")}))
	require.NoError(t, f.update(f.owner, identity.UpdateUser{Username: "off", Active: to(false)}))
	require.NoError(t, f.service.DeleteUser(f.ctx, f.owner, "left"))
	f.user("taken", "user")
	require.Equal(t, map[domain.UserName]domain.InvitationState{
		"of-demoted":     domain.InvitationInviterNotAdmin,
		"of-deactivated": domain.InvitationInviterNotAdmin,
		"taken":          domain.InvitationNameTaken,
		"open":           domain.InvitationOpen,
	}, states())
	for name, code := range codes {
		require.Equal(t, name == "open", f.join(home, code, "password") == nil, name)
	}
}
