package keys

import (
	"crypto/rand"
	_ "embed" // for the word list
	"math/big"
	"slices"
	"strings"

	"golang.org/x/crypto/argon2"

	"github.com/lockbox-go/lockbox/client"
)

// The version byte of a locked identity determines these parameters. The server does not send them, so it cannot weaken
// them or make the client allocate too much memory.
const (
	lockedVersion = 1
	lockedLabel   = "lockbox/v1/locked"
	lockedSaltLen = 16
	lockedMemory  = 65536 // KiB
	lockedPasses  = 3
	lockedLanes   = 1
	lockedLen     = 1 + lockedSaltLen + sealOverhead + keyLen

	passphraseWords = 6
)

// Owner is the account that a locked identity belongs to.
type Owner struct {
	Installation ID
	User         ID
	Fingerprint  Fingerprint
}

// context returns the associated data of a locked identity. The data bind the locked identity to its owner.
func (o Owner) context() []byte {
	return slices.Concat(part(o.Installation[:]), part(o.User[:]), part(o.Fingerprint[:]))
}

// Lock encrypts the identity under a passphrase. The result can be stored on the server. Lock takes about 100 ms and 64
// MiB of memory.
func (id *Identity) Lock(passphrase client.Secret, installation, user ID) []byte {
	var salt [lockedSaltLen]byte
	var sealSalt [saltLen]byte
	_, _ = rand.Read(salt[:]) // crypto/rand.Read never returns an error
	_, _ = rand.Read(sealSalt[:])
	return id.lockWith(salt, sealSalt, passphrase, Owner{installation, user, id.Fingerprint()})
}

func (id *Identity) lockWith(salt [lockedSaltLen]byte, sealSalt [saltLen]byte, passphrase client.Secret,
	owner Owner) []byte {
	key := lockedKey(passphrase, salt[:])
	defer clear(key)
	locked := append(append(make([]byte, 0, lockedLen), lockedVersion), salt[:]...)
	return append(locked, sealWith(sealSalt, key, lockedLabel, owner.context(), id.seed.bytes())...)
}

// Unlock decrypts a locked identity. It returns ErrUnlockFailed if the passphrase is wrong, if the bytes were changed,
// or if they were locked for another owner. The error does not reveal the cause.
func Unlock(locked []byte, passphrase client.Secret, owner Owner) (*Identity, error) {
	failed := fault(client.ErrUnlockFailed, "the identity cannot be unlocked: "+
		"the passphrase is wrong, or the locked identity was changed; "+
		"check the six words of the passphrase, or use the identity file of another device", nil)
	if len(locked) != lockedLen || locked[0] != lockedVersion {
		return nil, failed
	}
	key := lockedKey(passphrase, locked[1:1+lockedSaltLen])
	defer clear(key)
	seed, ok := open(key, lockedLabel, owner.context(), locked[1+lockedSaltLen:])
	if !ok || len(seed) != keyLen {
		return nil, failed
	}
	defer clear(seed)
	id := identityOf([keyLen]byte(seed))
	if id.Fingerprint() != owner.Fingerprint {
		return nil, failed
	}
	return id, nil
}

func lockedKey(passphrase client.Secret, salt []byte) []byte {
	return argon2.IDKey([]byte(passphrase.Reveal()), salt, lockedPasses, lockedMemory, lockedLanes, keyLen)
}

// wordList is the English word list of BIP-39 (https://github.com/bitcoin/bips/blob/master/bip-0039/english.txt), with
// 2,048 words, one on each line. It comes from the project python-mnemonic, under the MIT licence. No two words have
// the same first four letters.
//
//go:embed words.txt
var wordList string

// words returns the words of wordList. It splits the list on each call, because few programs need the words.
func words() []string { return strings.Fields(wordList) }

// GeneratePassphrase returns six random words, separated by dashes. They have 66 bits of entropy, and each guess costs
// one Argon2id computation with 64 MiB and 3 passes.
func GeneratePassphrase() client.Secret {
	list := words()
	chosen := make([]string, passphraseWords)
	for i := range chosen {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(list))))
		must(err)
		chosen[i] = list[n.Int64()]
	}
	return client.NewSecret(strings.Join(chosen, "-"))
}

// LooksLikePassphrase reports whether a text has the form of a generated passphrase: six words of the list. Password
// prompts refuse such texts, because an unlock passphrase must not reach the server.
func LooksLikePassphrase(text string) bool {
	normal := normalizeWords(text)
	return strings.Count(normal, "-") == passphraseWords-1 && isWords(strings.Split(normal, "-"))
}

// NormalizePassphrase returns a generated passphrase in its printed form, even if it was typed with spaces or capital
// letters. It returns any other text unchanged. Call it before Lock and Unlock, because they use the exact bytes of the
// passphrase.
func NormalizePassphrase(typed client.Secret) client.Secret {
	return client.NewSecret(normalizeWords(typed.Reveal()))
}

func normalizeWords(text string) string {
	typed := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return r == '-' || r == ' ' || r == '\t' })
	if len(typed) != passphraseWords || !isWords(typed) {
		return text
	}
	return strings.Join(typed, "-")
}

func isWords(typed []string) bool {
	list := words()
	return !slices.ContainsFunc(typed, func(word string) bool { return !slices.Contains(list, word) })
}
