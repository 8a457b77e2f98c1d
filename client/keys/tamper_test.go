package keys

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/client"
)

// TestEveryFlippedByte flips each byte of each part of a keyring. None of the results opens.
func TestEveryFlippedByte(t *testing.T) {
	t.Parallel()
	v := readVectors(t).Keyrings[1]
	seed := v.Recipients[0].Seed
	id, wrapped := identityOf([32]byte(seed)), v.wrappedFor(t, seed)
	refused := func(k *Keyring, wrapped []byte, part string, i int) {
		t.Helper()
		_, err := k.Open(id, wrapped)
		require.ErrorIs(t, err, client.ErrKeyringTampered, "%s, byte %d", part, i)
	}
	for i := range v.Head {
		head := flipped(v.Head, i)
		if parsed, ok := ParseHead(head); ok {
			k := v.keyring(t)
			k.Head = parsed
			refused(k, wrapped, "head", i)
		}
	}
	k := v.keyring(t)
	for i := range v.Chain {
		k.Chain = flipped(v.Chain, i)
		refused(k, wrapped, "chain", i)
	}
	k.Chain = v.Chain
	for i := range v.Signature {
		k.Signature = flipped(v.Signature, i)
		refused(k, wrapped, "signature", i)
	}
	k.Signature = v.Signature
	for i := range wrapped {
		refused(k, flipped(wrapped, i), "wrapped", i)
	}
	for i := range k.Author.raw {
		changed := *k
		changed.Author.raw[i] ^= 1
		refused(&changed, wrapped, "author", i)
	}
	for i := range k.Recipients {
		changed := *k
		changed.Recipients = slices.Clone(k.Recipients)
		changed.Recipients[i].User[3] ^= 1
		refused(&changed, wrapped, "user", i)
		changed.Recipients = slices.Clone(k.Recipients)
		changed.Recipients[i].Fingerprint[3] ^= 1
		refused(&changed, wrapped, "fingerprint", i)
		changed.Recipients = slices.Clone(k.Recipients)
		changed.Recipients[i].Wrapped = flipped(k.Recipients[i].Wrapped, 1000)
		refused(&changed, wrapped, "wrapped key of a recipient", i)
	}
	_, err := k.Open(id, wrapped)
	require.NoError(t, err)
}

func flipped(raw []byte, i int) []byte {
	changed := bytes.Clone(raw)
	changed[i] ^= 1
	return changed
}

// TestOtherLengths cuts and extends each part, and verifies that a part with a changed length is refused.
func TestOtherLengths(t *testing.T) {
	t.Parallel()
	v := readVectors(t).Keyrings[1]
	seed := v.Recipients[0].Seed
	id, wrapped := identityOf([32]byte(seed)), v.wrappedFor(t, seed)
	for _, change := range []func([]byte) []byte{
		func(raw []byte) []byte { return nil },
		func(raw []byte) []byte { return raw[:len(raw)-1] },
		func(raw []byte) []byte { return raw[1:] },
		func(raw []byte) []byte { return append(bytes.Clone(raw), 0) },
	} {
		_, ok := ParseHead(change(v.Head))
		require.False(t, ok)
		k := v.keyring(t)
		_, err := k.Open(id, change(wrapped))
		require.ErrorIs(t, err, client.ErrKeyringTampered)
		k.Chain = change(v.Chain)
		_, err = k.Open(id, wrapped)
		require.ErrorIs(t, err, client.ErrKeyringTampered)
		k = v.keyring(t)
		k.Signature = change(v.Signature)
		_, err = k.Open(id, wrapped)
		require.ErrorIs(t, err, client.ErrKeyringTampered)
	}
}

// TestRecipientsInAnotherOrder checks that Open refuses a list of recipients in another order, with a missing
// recipient, or with a duplicate.
func TestRecipientsInAnotherOrder(t *testing.T) {
	t.Parallel()
	v := readVectors(t).Keyrings[1]
	k := v.keyring(t)
	seed := v.Recipients[0].Seed
	for _, list := range [][]Recipient{
		{k.Recipients[1], k.Recipients[0], k.Recipients[2]},
		{k.Recipients[0], k.Recipients[0], k.Recipients[1], k.Recipients[2]},
		{k.Recipients[0], k.Recipients[1]},
	} {
		changed := *k
		changed.Recipients = list
		_, err := changed.Open(identityOf([32]byte(seed)), v.wrappedFor(t, seed))
		require.ErrorIs(t, err, client.ErrKeyringTampered)
	}
}

// TestEveryFlippedByteOfAText changes each character of each written form. None of the results parses.
func TestEveryFlippedByteOfAText(t *testing.T) {
	t.Parallel()
	all := readVectors(t)
	identity, keyring := all.Identities[0], all.Keyrings[1]
	for name, form := range map[string]struct {
		text  string
		parse func(string) error
	}{
		"fingerprint": {Fingerprint(identity.Fingerprint).String(),
			func(text string) error { return second(ParseFingerprint(text)) }},
		"identity": {identity.Identity, func(text string) error { return second(ParseIdentity(text)) }},
		"public":   {identity.Public, func(text string) error { return second(ParsePublicKey(text)) }},
		"anchor":   {keyring.Anchor, func(text string) error { return second(ParseAnchor(text)) }},
		"key id":   {keyring.KeyID, func(text string) error { return second(ParseKeyID(text)) }},
		"id":       {ID(identity.User).String(), func(text string) error { return second(ParseID(text)) }},
	} {
		require.NoError(t, form.parse(form.text), name)
		bare := name == "fingerprint" || name == "key id" || name == "id" // without a checksum
		for i := range form.text {
			for _, c := range []byte{'A', '\n', '=', form.text[i] ^ 0x20} {
				changed := form.text[:i] + string(c) + form.text[i+1:]
				if changed == form.text || bare && (c == 'A' || c == form.text[i]^0x20) {
					continue
				}
				require.Error(t, form.parse(changed), "%s, character %d", name, i)
			}
		}
		for _, changed := range []string{
			"",
			form.text[:len(form.text)-1],
			form.text + "\n",
			form.text + "=",
			" " + form.text,
			strings.ToUpper(form.text),
		} {
			err := form.parse(changed)
			if changed == strings.ToUpper(form.text) && name != "id" && bare {
				continue
			}
			require.Error(t, err, "%s: %q", name, changed)
			require.NotContains(t, err.Error(), form.text[min(8, len(form.text)-1):], name)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// TestEveryFlippedByteOfALockedIdentity flips each byte after the salt of Argon2id. It derives the key only once,
// because each derivation is slow. For the version and the salt, see TestLockedIdentityForOthers.
func TestEveryFlippedByteOfALockedIdentity(t *testing.T) {
	t.Parallel()
	v := readVectors(t).Identities[0]
	owner := Owner{ID(v.Installation), ID(v.User), Fingerprint(v.Fingerprint)}
	key := lockedKey(client.NewSecret(v.Passphrase), v.Salt16)
	sealed := []byte(v.Locked[1+lockedSaltLen:])
	seed, ok := open(key, lockedLabel, owner.context(), sealed)
	require.True(t, ok)
	require.Equal(t, []byte(v.Seed), seed)
	for i := range sealed {
		_, ok := open(key, lockedLabel, owner.context(), flipped(sealed, i))
		require.False(t, ok, "byte %d", i)
	}
	for i := range owner.context() {
		_, ok := open(key, lockedLabel, flipped(owner.context(), i), sealed)
		require.False(t, ok, "byte %d of the owner", i)
	}
}

// TestSecretsDoNotPrint checks that no verb of package fmt reveals the secret in a value.
func TestSecretsDoNotPrint(t *testing.T) {
	t.Parallel()
	v := readVectors(t)
	id, err := ParseIdentity(v.Identities[0].Identity)
	require.NoError(t, err)
	seed := v.Keyrings[1].Recipients[0].Seed
	o, err := v.Keyrings[1].keyring(t).Open(identityOf([32]byte(seed)), v.Keyrings[1].wrappedFor(t, seed))
	require.NoError(t, err)
	for _, value := range []any{id, *id, o, *o, o.Key, Plan{Key: o.Key, Author: id}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			printed := fmt.Sprintf(verb, value)
			for _, canary := range [][]byte{v.Identities[0].Seed, v.Keyrings[1].Key, v.Keyrings[1].Earlier[0]} {
				for _, shape := range []string{"%x", "%v", "%s", "% x", "%X"} {
					text := strings.Trim(fmt.Sprintf(shape, canary), "[]")
					require.NotContains(t, printed, text, "%T %s", value, verb)
				}
			}
			require.NotContains(t, printed, "lbid1_")
			require.NotContains(t, printed, "lbk1_")
		}
	}
}

func TestGeneratedPassphrases(t *testing.T) {
	t.Parallel()
	list := words()
	require.Len(t, list, 2048)
	require.True(t, slices.IsSorted(list))
	heads := map[string]bool{}
	for _, word := range list {
		heads[word[:min(4, len(word))]] = true
	}
	require.Len(t, heads, len(list), "four letters identify a word")

	one, two := GeneratePassphrase().Reveal(), GeneratePassphrase().Reveal()
	require.NotEqual(t, one, two)
	require.True(t, LooksLikePassphrase(one))
	spoken := strings.ToUpper(strings.ReplaceAll(one, "-", " "))
	require.True(t, LooksLikePassphrase(spoken))
	require.Equal(t, one, NormalizePassphrase(client.NewSecret(spoken)).Reveal())
	for _, other := range []string{"", "hunter2", "abandon-ability-able-about-above", "Correct Horse", one + "-zoo",
		"abandon-ability-able-about-above-xyzzy"} {
		require.False(t, LooksLikePassphrase(other), other)
		require.Equal(t, other, NormalizePassphrase(client.NewSecret(other)).Reveal())
	}
}

func TestTypedFingerprints(t *testing.T) {
	t.Parallel()
	f := Fingerprint(readVectors(t).Identities[0].Fingerprint)
	shown := f.Display()
	require.Len(t, strings.Fields(shown), 6)
	for _, typed := range []string{shown, strings.ToUpper(shown), strings.ReplaceAll(shown, " ", "-"),
		strings.ReplaceAll(shown, " ", "")} {
		require.True(t, f.Matches(typed), typed)
	}
	for _, typed := range []string{"", shown[:5], shown[6:], shown + "a", "a" + shown[1:] + "b"} {
		require.False(t, f.Matches(typed), typed)
	}
}

func TestPlansThatBreakARule(t *testing.T) {
	t.Parallel()
	author := GenerateIdentity()
	self := To{Public: author.Public()}
	for name, plan := range map[string]Plan{
		"no recipient":         {Sequence: 1},
		"a recipient twice":    {Sequence: 1, To: []To{self, self}},
		"too many earlier":     {Sequence: 1, To: []To{self}, Earlier: make([]BoxKey, maxChain+1)},
		"too many recipients ": {Sequence: 1, Kept: make([]Recipient, maxRecipients+1)},
	} {
		plan.Author, plan.Key = author, GenerateBoxKey()
		_, err := Build(plan)
		require.ErrorIs(t, err, client.ErrKeyringInvalid, name)
	}
}
