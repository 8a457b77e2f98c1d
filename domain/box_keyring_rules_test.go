package domain

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// recipient returns a recipient with a user and a fingerprint that begin with the given bytes.
func recipient(user, fingerprint byte) KeyRecipient {
	return KeyRecipient{User: UserID{user}, Fingerprint: Fingerprint{fingerprint}}
}

func keyringOf(sequence uint64, key byte, recipients ...KeyRecipient) BoxKeyring {
	return BoxKeyring{
		KeyringHead: KeyringHead{Sequence: sequence, Key: KeyID{key}},
		Chain:       make([]byte, chainOverhead),
		Recipients:  recipients,
	}
}

func TestCheckSuccessor(t *testing.T) {
	t.Parallel()
	anna, boris := recipient(1, 1), recipient(2, 2)
	stored := keyringOf(5, 1, anna, boris)
	for name, test := range map[string]struct {
		next           BoxKeyring
		removes, reset bool
		code           string
	}{
		"the same recipients":           {next: keyringOf(6, 1, anna, boris)},
		"another recipient":             {next: keyringOf(6, 1, boris, recipient(3, 3), anna)},
		"the largest step":              {next: keyringOf(1005, 1, anna, boris)},
		"a step too far":                {next: keyringOf(1006, 1, anna, boris), code: "keyring_sequence"},
		"the same sequence":             {next: keyringOf(5, 1, anna, boris), code: "keyring_sequence"},
		"a lower sequence":              {next: keyringOf(4, 2, anna), code: "keyring_sequence"},
		"a recipient less":              {next: keyringOf(6, 1, anna), code: "key_change_required"},
		"another identity":              {next: keyringOf(6, 1, anna, recipient(2, 9)), code: "key_change_required"},
		"another user":                  {next: keyringOf(6, 1, anna, recipient(9, 2)), code: "key_change_required"},
		"a recipient less, another key": {next: keyringOf(6, 2, anna)},
		"a removal":                     {next: keyringOf(6, 2, anna), removes: true},
		"a removal, the same key": {
			next:    keyringOf(6, 1, anna, boris),
			removes: true,
			code:    "key_change_required",
		},
		"a reset":               {next: keyringOf(6, 2, anna), reset: true},
		"a reset, the same key": {next: keyringOf(6, 1, anna, boris), reset: true, code: "key_change_required"},
	} {
		require.Equal(t, test.code, CodeOf(test.next.CheckSuccessor(stored, test.removes, test.reset)), name)
	}
	chained := keyringOf(6, 2, anna)
	chained.Chain = make([]byte, chainOverhead+chainKeyBytes)
	require.NoError(t, chained.CheckSuccessor(stored, false, false))
	require.Equal(t, "keyring_invalid", CodeOf(chained.CheckSuccessor(stored, false, true)))
	require.NoError(t, keyringOf(1, 1, anna).CheckSuccessor(BoxKeyring{}, false, false))
	require.ErrorIs(t, keyringOf(1001, 1, anna).CheckSuccessor(BoxKeyring{}, false, false), ErrKeyringSequence)
}

// TestKeyChangeDue covers each way in which a recipient loses access to the key.
func TestKeyChangeDue(t *testing.T) {
	t.Parallel()
	recipients := []KeyRecipient{recipient(1, 1), recipient(2, 2), recipient(3, 3)}
	members := []KeyringMember{
		{User: UserID{1}, Name: "anna", Fingerprint: Fingerprint{1}},
		{User: UserID{2}, Name: "boris", Fingerprint: Fingerprint{9}}, // has a new identity
		// User 3 was removed, deactivated or deleted.
		{User: UserID{4}, Name: "dora", Fingerprint: Fingerprint{4}},
		{User: UserID{5}, Name: "emil"},
	}
	require.Equal(t, recipients[1:], KeyChangeDue(recipients, members))
	require.Equal(t, []KeyringMember{members[1], members[2], members[3]}, WaitingMembers(recipients, members))
	require.Empty(t, KeyChangeDue(recipients[:1], members))
	require.Equal(t, []KeyRecipient{{User: UserID{5}}}, KeyChangeDue([]KeyRecipient{{User: UserID{5}}}, members),
		"no fingerprint is no identity")

	err := BoxKeyring{Recipients: recipients}.CheckRecipients(members)
	require.Equal(t, "recipient_stale", CodeOf(err))
	require.ErrorContains(t, err, "boris")
	require.ErrorContains(t, err, UserID{3}.String())
	require.NotContains(t, err.Error(), "anna")
	require.NoError(t, BoxKeyring{Recipients: recipients[:1]}.CheckRecipients(members))
}

func TestDescribeKeyring(t *testing.T) {
	t.Parallel()
	members := []KeyringMember{{User: UserID{1}, Name: "anna"}, {User: UserID{2}, Name: "boris"}}
	old := recipient(3, 3)
	old.Name = "cora"
	stored := keyringOf(1, 1, recipient(1, 1), old)
	require.Contains(t, keyringOf(1, 1, recipient(1, 1)).Describe(BoxKeyring{}, members, false),
		", first key, added anna")
	require.Contains(t, keyringOf(2, 1, recipient(1, 1), old, recipient(2, 2)).Describe(stored, members, false),
		", new recipients, added boris")
	require.Contains(t, keyringOf(2, 2, recipient(1, 1)).Describe(stored, members, false), ", new key, removed cora")
	require.Contains(t, keyringOf(2, 2, recipient(1, 1), old).Describe(stored, members, true), ", reset")
	var many []KeyRecipient
	for i := range 12 {
		many = append(many, recipient(byte(100+i), byte(100+i)))
	}
	require.Contains(t, keyringOf(1, 1, many...).Describe(BoxKeyring{}, nil, false), " and 2 more")
}

func TestCheckKey(t *testing.T) {
	t.Parallel()
	require.NoError(t, Box{}.CheckKey(KeyID{}))
	require.NoError(t, Box{}.CheckKey(KeyID{1}))
	require.NoError(t, Box{Key: KeyID{1}}.CheckKey(KeyID{1}))
	for _, other := range []KeyID{{}, {2}, {1, 1}} {
		require.ErrorIs(t, Box{Key: KeyID{1}}.CheckKey(other), ErrKeyNotCurrent)
	}
}
