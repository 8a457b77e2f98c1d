package domain_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
)

var testBox = domain.Box{ID: domain.BoxID{1}, Name: "default", Owner: userID}

func member(role domain.BoxRole, active bool, permissions domain.Permissions) *domain.BoxUser {
	return &domain.BoxUser{
		Box:         testBox.ID,
		User:        userID,
		Name:        "user",
		Role:        role,
		Active:      active,
		Permissions: permissions,
	}
}

// TestAccess checks the error code of each decision for each kind of caller. An empty code means that the action is
// allowed.
func TestAccess(t *testing.T) {
	t.Parallel()
	const (
		yes    = ""
		hidden = "box_not_found"
		admins = "box_admin_only"
		owners = "box_owner_only"
		lacks  = "permission_missing"
	)
	theirs := testBox
	theirs.Owner = otherID
	boxUser, boxAdmin, all := domain.BoxRoleUser, domain.BoxRoleAdmin, domain.AllPermissions
	for name, test := range map[string]struct {
		access                                    domain.Access
		see, manage, self, another, transfer, use string
	}{
		"no box":               {domain.Access{Caller: user}, hidden, hidden, hidden, hidden, hidden, hidden},
		"no box, for an admin": {domain.Access{Caller: admin}, hidden, hidden, hidden, hidden, hidden, hidden},
		"stranger": {domain.Access{Caller: user, Box: theirs},
			hidden, hidden, hidden, hidden, hidden, hidden},
		"box user with nothing": {domain.Access{Caller: user, Box: theirs, Member: member(boxUser, true, 0)},
			yes, admins, yes, admins, owners, lacks},
		"box user with the permission": {domain.Access{Caller: user, Box: theirs,
			Member: member(boxUser, true, domain.ReadEntry)}, yes, admins, yes, admins, owners, yes},
		"box user with another one": {domain.Access{Caller: user, Box: theirs,
			Member: member(boxUser, true, all&^domain.ReadEntry)}, yes, admins, yes, admins, owners, lacks},
		"boxadmin with nothing": {domain.Access{Caller: user, Box: theirs, Member: member(boxAdmin, true, 0)}, yes,
			yes, yes, yes, owners, lacks},
		"boxadmin with all": {domain.Access{Caller: user, Box: theirs, Member: member(boxAdmin, true, all)},
			yes, yes, yes, yes, owners, yes},
		"owner of the box": {domain.Access{Caller: user, Box: testBox, Member: member(boxAdmin, true, all)},
			yes, yes, yes, yes, yes, yes},
		"owner without permissions": {domain.Access{Caller: user, Box: testBox, Member: member(boxAdmin, true, 0)}, yes,
			yes, yes, yes, yes, lacks},
		"inactive box user": {domain.Access{Caller: user, Box: theirs, Member: member(boxUser, false, all)},
			hidden, hidden, hidden, hidden, hidden, hidden},
		"inactive boxadmin": {domain.Access{Caller: user, Box: theirs, Member: member(boxAdmin, false, all)},
			hidden, hidden, hidden, hidden, hidden, hidden},
		"admin":               {domain.Access{Caller: admin, Box: theirs}, yes, yes, yes, yes, yes, lacks},
		"owner of the system": {domain.Access{Caller: owner, Box: theirs}, yes, yes, yes, yes, yes, lacks},
		"admin as a box user": {domain.Access{Caller: admin, Box: theirs,
			Member: member(boxUser, true, domain.ReadEntry)}, yes, yes, yes, yes, yes, yes},
		"admin as an inactive one": {domain.Access{Caller: admin, Box: theirs, Member: member(boxUser, false, all)},
			yes, yes, yes, yes, yes, lacks},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.see, domain.CodeOf(test.access.See()), "see")
			require.Equal(t, test.manage, domain.CodeOf(test.access.Manage()), "manage")
			own := test.access.Caller.Name
			require.Equal(t, test.self, domain.CodeOf(test.access.Inspect(own)), "inspect the caller")
			require.Equal(t, test.another, domain.CodeOf(test.access.Inspect("another")), "inspect another")
			require.Equal(t, test.another, domain.CodeOf(test.access.Inspect("")), "inspect an invalid name")
			require.Equal(t, test.transfer, domain.CodeOf(test.access.Transfer()), "transfer")
			require.Equal(t, test.use, domain.CodeOf(test.access.Use(domain.ReadEntry)), "use")
		})
	}
}

// TestUseWantsAll verifies that a request for several permissions requires every one of them.
func TestUseWantsAll(t *testing.T) {
	t.Parallel()
	const both = domain.CreateEntry | domain.ReadEntry
	for permissions, allowed := range map[domain.Permissions]bool{domain.CreateEntry: false, domain.ReadEntry: false,
		both: true, domain.AllPermissions: true, 0: false} {
		access := domain.Access{Caller: user, Box: testBox, Member: member(domain.BoxRoleUser, true, permissions)}
		require.Equal(t, allowed, access.Use(both) == nil)
	}
	require.True(t, domain.Access{Caller: user, Box: testBox,
		Member: member(domain.BoxRoleUser, true, domain.ReadEntryKeys)}.SeesKeys())
	require.False(t, domain.Access{Caller: admin, Box: testBox}.SeesKeys())
}

func TestBoxQuota(t *testing.T) {
	t.Parallel()
	require.NoError(t, domain.CheckBoxQuota(domain.RoleUser, 1, 2))
	requireRefusal(t, domain.CheckBoxQuota(domain.RoleUser, 2, 2), domain.Conflict, "limit_reached", "")
	requireRefusal(t, domain.CheckBoxQuota(domain.RoleUser, 3, 2), domain.Conflict, "limit_reached", "")
	require.NoError(t, domain.CheckBoxQuota(domain.RoleUser, 1000, 0), "0 is no limit")
	require.NoError(t, domain.CheckBoxQuota(domain.RoleAdmin, 1000, 2))
}

func TestNewBoxUsers(t *testing.T) {
	t.Parallel()
	require.Equal(t, *member(domain.BoxRoleAdmin, true, domain.AllPermissions),
		domain.NewBoxOwner(testBox.ID, userID, "user"))
	require.Equal(t, *member(domain.BoxRoleUser, true, domain.DefaultPermissions),
		domain.NewBoxUser(testBox.ID, userID, "user", domain.BoxRole{}))
	require.Equal(t, *member(domain.BoxRoleAdmin, true, domain.DefaultPermissions),
		domain.NewBoxUser(testBox.ID, userID, "user", domain.BoxRoleAdmin))
}

func TestBoxUserChange(t *testing.T) {
	t.Parallel()
	theirs := testBox
	theirs.Owner = otherID
	toUser, toAdmin := &domain.BoxRoleUser, &domain.BoxRoleAdmin
	for name, test := range map[string]struct {
		box    domain.Box
		role   *domain.BoxRole
		active *bool
		err    error
		want   *domain.BoxUser
	}{
		"nothing":            {theirs, nil, nil, nil, member(domain.BoxRoleAdmin, true, domain.ReadEntry)},
		"role":               {theirs, toUser, nil, nil, member(domain.BoxRoleUser, true, domain.ReadEntry)},
		"state":              {theirs, nil, to(false), nil, member(domain.BoxRoleAdmin, false, domain.ReadEntry)},
		"both":               {theirs, toUser, to(false), nil, member(domain.BoxRoleUser, false, domain.ReadEntry)},
		"the owner, nothing": {testBox, nil, nil, nil, member(domain.BoxRoleAdmin, true, domain.ReadEntry)},
		"the owner, as it is": {testBox, toAdmin, to(true), nil,
			member(domain.BoxRoleAdmin, true, domain.ReadEntry)},
		"the owner's role":       {testBox, toUser, nil, domain.ErrBoxOwnerStays, nil},
		"the owner's state":      {testBox, nil, to(false), domain.ErrBoxOwnerStays, nil},
		"the owner's state, too": {testBox, toAdmin, to(false), domain.ErrBoxOwnerStays, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			of := member(domain.BoxRoleAdmin, true, domain.ReadEntry)
			err := of.Change(test.box, test.role, test.active)
			if test.err != nil {
				require.ErrorIs(t, err, test.err)
				require.Equal(t, member(domain.BoxRoleAdmin, true, domain.ReadEntry), of, "a refusal changes nothing")
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.want, of)
		})
	}
}

func TestRemovable(t *testing.T) {
	t.Parallel()
	theirs := testBox
	theirs.Owner = otherID
	of := *member(domain.BoxRoleAdmin, true, 0)
	boss := domain.BoxUser{User: otherID, Role: domain.BoxRoleAdmin, Active: true}
	absent, plain := boss, boss
	absent.Active, plain.Role = false, domain.BoxRoleUser
	require.NoError(t, of.Removable(theirs, []domain.BoxUser{of, boss}))
	require.ErrorIs(t, of.Removable(testBox, []domain.BoxUser{of, boss}), domain.ErrBoxOwnerStays)
	require.ErrorIs(t, of.Removable(theirs, []domain.BoxUser{of, absent}), domain.ErrLastBoxAdmin)
	require.ErrorIs(t, of.Removable(theirs, []domain.BoxUser{of, plain}), domain.ErrLastBoxAdmin)
	require.ErrorIs(t, of.Removable(theirs, []domain.BoxUser{of}), domain.ErrLastBoxAdmin)
}

func TestTakeOver(t *testing.T) {
	t.Parallel()
	box := testBox
	box.Owner = otherID
	heir := member(domain.BoxRoleUser, true, domain.ReadEntry)
	require.NoError(t, heir.TakeOver(&box))
	require.Equal(t, userID, box.Owner)
	require.Equal(t, member(domain.BoxRoleAdmin, true, domain.ReadEntry), heir, "the permissions stay")
	box.Owner = otherID
	require.ErrorIs(t, member(domain.BoxRoleAdmin, false, 0).TakeOver(&box), domain.ErrNewOwnerNotInBox)
	require.Equal(t, otherID, box.Owner)
}

func TestBoxOffer(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	offer, err := domain.NewBoxOffer(*member(domain.BoxRoleUser, true, 0), now)
	require.NoError(t, err)
	require.True(t, offer.Open(now.Add(domain.BoxOfferTTL-time.Second)))
	require.False(t, offer.Open(now.Add(domain.BoxOfferTTL)))
	require.False(t, domain.BoxOffer{}.Open(now))
	_, err = domain.NewBoxOffer(*member(domain.BoxRoleUser, false, 0), now)
	require.ErrorIs(t, err, domain.ErrNewOwnerNotInBox)
}

// TestEndOfferAndRemove checks who can end an offer, and who can remove a member.
func TestEndOfferAndRemove(t *testing.T) {
	t.Parallel()
	theirs := testBox
	theirs.Owner = otherID
	boxUser, boxAdmin := domain.BoxRoleUser, domain.BoxRoleAdmin
	toCaller, toOther := domain.BoxOffer{To: userID}, domain.BoxOffer{To: otherID}
	for name, test := range map[string]struct {
		access                           domain.Access
		ownOffer, otherOffer, own, other string
	}{
		"stranger": {domain.Access{Caller: user, Box: theirs}, "box_not_found", "box_not_found", "box_not_found",
			"box_not_found"},
		"member": {domain.Access{Caller: user, Box: theirs, Member: member(boxUser, true, 0)},
			"", "box_owner_only", "", "box_admin_only"},
		"boxadmin": {domain.Access{Caller: user, Box: theirs, Member: member(boxAdmin, true, 0)},
			"", "box_owner_only", "", ""},
		"inactive member": {domain.Access{Caller: user, Box: theirs, Member: member(boxAdmin, false, 0)},
			"box_not_found", "box_not_found", "box_not_found", "box_not_found"},
		"owner of the box": {domain.Access{Caller: user, Box: testBox, Member: member(boxAdmin, true, 0)},
			"", "", "", ""},
		"admin": {domain.Access{Caller: admin, Box: theirs}, "", "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.ownOffer, domain.CodeOf(test.access.EndOffer(toCaller)))
			require.Equal(t, test.otherOffer, domain.CodeOf(test.access.EndOffer(toOther)))
			require.Equal(t, test.own, domain.CodeOf(test.access.Remove(test.access.Caller.Name)))
			require.Equal(t, test.other, domain.CodeOf(test.access.Remove("another")))
		})
	}
}
