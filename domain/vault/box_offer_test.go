package vault_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/vault"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// offer offers the box to a member. The owner of the box is the caller.
func (b *boxed) offer(to string) {
	b.t.Helper()
	require.NoError(b.t, b.Vault.TransferBox(b.t.Context(), b.owner, vault.TransferBox{Box: "box", NewOwner: to}))
}

// boxOwner returns the name of the box's owner and the name of the member to whom the box is offered.
func (b *boxed) boxOwner() (owner, offered domain.UserName) {
	b.t.Helper()
	described, err := b.Vault.DescribeBox(b.t.Context(), b.owner, "box")
	require.NoError(b.t, err)
	return described.Owner, described.Offer.ToName
}

// TestBoxOffer verifies that the owner of a box changes only when the member accepts the offer, and that both the offer
// and the transfer are audited.
func TestBoxOffer(t *testing.T) {
	t.Parallel()
	b := newBox(t, domain.NoPermissions)
	b.offer("member")
	owner, offered := b.boxOwner()
	require.Equal(t, domain.UserName("owner"), owner)
	require.Equal(t, domain.UserName("member"), offered)
	require.ErrorIs(t, b.Vault.AcceptBox(t.Context(), b.owner, "box"), domain.ErrBoxOfferNotFound)
	require.ErrorIs(t, b.Vault.AcceptBox(t.Context(), b.User("stranger", domain.Group{}), "box"), domain.ErrBoxNotFound)
	require.NoError(t, b.Vault.AcceptBox(t.Context(), b.member, "box"))
	owner, offered = b.boxOwner()
	require.Equal(t, domain.UserName("member"), owner)
	require.Empty(t, offered)
	require.ErrorIs(t, b.Vault.AcceptBox(t.Context(), b.member, "box"), domain.ErrBoxOfferNotFound)
	log := b.Log()
	require.Equal(t, []string{"owner box.offer success - member", "member box.transfer success - member"},
		log[len(log)-2:])
}

// TestBoxOfferEnds covers each way in which an offer can end without a transfer.
func TestBoxOfferEnds(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(b *boxed) error{
		"declined":  func(b *boxed) error { return b.Vault.EndBoxOffer(b.t.Context(), b.member, "box") },
		"withdrawn": func(b *boxed) error { return b.Vault.EndBoxOffer(b.t.Context(), b.owner, "box") },
		"transferred to the owner": func(b *boxed) error {
			return b.Vault.TransferBox(b.t.Context(), b.owner, vault.TransferBox{Box: "box", NewOwner: "owner"})
		},
		"expired": func(b *boxed) error {
			// Advancing the clock would not work here, because the sessions of the test would expire too.
			b.Execute(b.t, `UPDATE boxes SET offer_expires_at = now() - interval '1 second'`)
			return nil
		},
		"removed and added again": func(b *boxed) error {
			require.NoError(b.t, b.Vault.RemoveBoxUser(b.t.Context(), b.owner, "box", "member"))
			_, _, err := b.Vault.AddBoxUser(b.t.Context(), b.owner, vault.AddBoxUser{Box: "box", Username: "member"})
			return err
		},
		"offered to another": func(b *boxed) error {
			b.User("other", domain.Group{})
			_, _, err := b.Vault.AddBoxUser(b.t.Context(), b.owner, vault.AddBoxUser{Box: "box", Username: "other"})
			require.NoError(b.t, err)
			b.offer("other")
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBox(t, domain.NoPermissions)
			b.offer("member")
			require.NoError(t, end(b))
			require.ErrorIs(t, b.Vault.AcceptBox(t.Context(), b.member, "box"), domain.ErrBoxOfferNotFound)
			owner, offered := b.boxOwner()
			require.Equal(t, domain.UserName("owner"), owner)
			require.NotEqual(t, domain.UserName("member"), offered)
			if name != "offered to another" {
				require.ErrorIs(t, b.Vault.EndBoxOffer(t.Context(), b.owner, "box"), domain.ErrBoxOfferNotFound)
			}
		})
	}
}

// TestBoxOfferQuota verifies that an open offer does not count towards the quota of the member, but that an accepted
// box does.
func TestBoxOfferQuota(t *testing.T) {
	t.Parallel()
	b := newBox(t, domain.NoPermissions, func(c *vault.Config) { c.MaxBoxesPerUser = 1 })
	b.offer("member")
	_, err := b.Vault.CreateBox(t.Context(), b.member, "own")
	require.NoError(t, err)
	require.Equal(t, "limit_reached", domain.CodeOf(b.Vault.AcceptBox(t.Context(), b.member, "box")))
	require.NoError(t, b.Vault.DeleteBox(t.Context(), b.member, "own"))
	require.NoError(t, b.Vault.AcceptBox(t.Context(), b.member, "box"))
}

// TestBoxOfferOfDeletedUser verifies that a user to whom a box is offered can be deleted.
func TestBoxOfferOfDeletedUser(t *testing.T) {
	t.Parallel()
	b := newBox(t, domain.NoPermissions)
	b.offer("member")
	b.Execute(t, `DELETE FROM users WHERE name = 'member'`)
	_, offered := b.boxOwner()
	require.Empty(t, offered)
	require.Equal(t, 1, pgtest.Number(t, b.URL, `SELECT count(*) FROM boxes`))
}

// TestLeaveBox verifies that members can remove themselves from a box, but that the owner cannot.
func TestLeaveBox(t *testing.T) {
	t.Parallel()
	for name, role := range map[string]string{"boxuser": "boxuser", "boxadmin": "boxadmin"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBox(t, domain.NoPermissions)
			require.NoError(t, b.Vault.UpdateBoxUser(t.Context(), b.owner,
				vault.UpdateBoxUser{Box: "box", Username: "member", Role: &role}))
			require.NoError(t, b.Vault.RemoveBoxUser(t.Context(), b.member, "box", "MEMBER"))
			require.ErrorIs(t, b.Vault.RemoveBoxUser(t.Context(), b.member, "box", "member"), domain.ErrBoxNotFound)
			require.Equal(t, "member box-user.remove success - member", b.LastLogged())
			require.ErrorIs(t, b.Vault.RemoveBoxUser(t.Context(), b.owner, "box", "owner"), domain.ErrBoxOwnerStays)
		})
	}
	b := newBox(t, domain.NoPermissions)
	require.ErrorIs(t, b.Vault.RemoveBoxUser(t.Context(), b.member, "box", "owner"), domain.ErrBoxAdminOnly)
	inactive := false
	require.NoError(t, b.Vault.UpdateBoxUser(t.Context(), b.owner,
		vault.UpdateBoxUser{Box: "box", Username: "member", Active: &inactive}))
	require.ErrorIs(t, b.Vault.RemoveBoxUser(t.Context(), b.member, "box", "member"), domain.ErrBoxNotFound)
}

// TestBoxOfferAtOnce sends two concurrent requests: one accepts an offer, and the other withdraws the same offer.
// Exactly one of them must succeed.
func TestBoxOfferAtOnce(t *testing.T) {
	t.Parallel()
	b := newBox(t, domain.NoPermissions)
	for range 5 {
		b.offer("member")
		results := make(chan error, 2)
		go func() { results <- b.Vault.AcceptBox(t.Context(), b.member, "box") }()
		go func() { results <- b.Vault.EndBoxOffer(t.Context(), b.owner, "box") }()
		first, second := <-results, <-results
		require.True(t, (first == nil) != (second == nil), "%v, %v", first, second)
		b.Execute(t, `UPDATE boxes SET owner_id = (SELECT id FROM users WHERE name = 'owner')`)
		b.Clock.Advance(time.Second)
	}
}
