package keys

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/lockbox-go/lockbox/client"
)

const (
	wrapLabel      = "lockbox/v1/wrap"
	chainLabel     = "lockbox/v1/chain"
	signatureLabel = "lockbox/v1/keyring/signature"

	// maxChain is the maximum number of earlier keys. maxRecipients is the maximum number of recipients.
	maxChain      = 4096
	maxRecipients = 1000
)

// Recipient is a user to whom a box key is wrapped.
type Recipient struct {
	User        ID
	Fingerprint Fingerprint
	Wrapped     []byte
}

// Keyring is a keyring as the server stores it. Nothing in it is secret.
type Keyring struct {
	Head      Head
	Chain     []byte
	Signature []byte
	// Author is the public key of the author. Its fingerprint is in the head.
	Author PublicKey
	// Recipients is sorted by fingerprint. By default, the server sends the short form of a keyring, in which
	// Recipients is empty.
	Recipients []Recipient
}

// Opened is a keyring together with the box keys that it contains. Keyring.Open returns these keys to a recipient.
type Opened struct {
	Keyring

	// Key is the current key.
	Key BoxKey
	// Earlier are the earlier keys, oldest first.
	Earlier []BoxKey
}

// Plan is the content of a new keyring.
type Plan struct {
	Place

	Sequence uint64
	Key      BoxKey
	// Earlier are the earlier keys of the box, oldest first.
	Earlier []BoxKey
	Author  *Identity
	// To lists the recipients for whom Build must wrap the key.
	To []To
	// Kept lists the recipients for whom Key has already been wrapped. Build copies them unchanged.
	Kept []Recipient
}

// To is a user who gets a box key. The key is wrapped to the public key of the user.
type To struct {
	User   ID
	Public PublicKey
}

// Build makes a keyring. It returns ErrKeyringInvalid if the plan has no recipients, more than 1,000 recipients, the
// same recipient twice, or more than 4,096 earlier keys.
func Build(plan Plan) (*Opened, error) {
	recipients := slices.Clone(plan.Kept)
	id := plan.Key.ID()
	for _, to := range plan.To {
		fingerprint := to.Public.Fingerprint()
		wrapped, err := to.Public.wrap(wrapInfo(plan.Place, id, fingerprint), plan.Key.bytes())
		if err != nil {
			return nil, badPublicKey(err)
		}
		recipients = append(recipients, Recipient{to.User, fingerprint, wrapped})
	}
	return assemble(plan, recipients, func(head []byte) []byte {
		return seal(plan.Key.bytes(), chainLabel, head, joinKeys(plan.Earlier))
	})
}

// assemble makes a keyring from a plan. The argument recipients contains all recipients, with their wrapped keys.
// assemble calls sealChain to seal the chain for the head.
func assemble(plan Plan, recipients []Recipient, sealChain func(head []byte) []byte) (*Opened, error) {
	slices.SortFunc(recipients, func(a, b Recipient) int { return bytes.Compare(a.Fingerprint[:], b.Fingerprint[:]) })
	switch {
	case len(recipients) == 0 || len(recipients) > maxRecipients:
		return nil, planError(fmt.Sprintf("a keyring needs 1 to %d recipients, but this keyring would have %d",
			maxRecipients, len(recipients)))
	case plan.Sequence == 0:
		return nil, planError("the keyring has no number: numbers begin with 1")
	case len(plan.Earlier) > maxChain:
		return nil, planError(fmt.Sprintf("the box has had more than %d keys: create a new box and copy the entries",
			maxChain))
	case !sorted(recipients):
		return nil, planError("a recipient is named twice")
	}
	head := Head{
		Place:    plan.Place,
		Sequence: plan.Sequence,
		Key:      plan.Key.ID(),
		Author:   plan.Author.Fingerprint(),
		Lines:    linesDigest(recipients),
	}
	k := Keyring{
		Head:       head,
		Chain:      sealChain(head.Bytes()),
		Author:     plan.Author.Public(),
		Recipients: recipients,
	}
	k.Signature = ed25519.Sign(plan.Author.sign(), k.signed())
	return &Opened{Keyring: k, Key: plan.Key, Earlier: plan.Earlier}, nil
}

func planError(message string) error {
	return fault(client.ErrKeyringInvalid, message, nil)
}

// signed returns the message that the author signs.
func (k *Keyring) signed() []byte {
	return slices.Concat(part([]byte(signatureLabel)), k.Head.Bytes(), k.Chain)
}

// digest returns a hash that identifies the keyring. The hashed bytes need not include the recipients, because the head
// contains the hash of the recipients.
func (k *Keyring) digest() [32]byte { return sha256.Sum256(slices.Concat(k.signed(), k.Signature)) }

// Open verifies that the parts of the keyring belong together, and decrypts its box keys. The argument wrapped is the
// current box key, wrapped to the identity. If the keyring has Recipients, Open also verifies them against the head. It
// returns ErrKeyringTampered if any part does not match. It does not compare the keyring with what the client remembers
// about the box; Holder does that.
func (k *Keyring) Open(id *Identity, wrapped []byte) (*Opened, error) {
	key, ok := id.unwrap(wrapInfo(k.Head.Place, k.Head.Key, id.Fingerprint()), wrapped)
	if !ok || key.ID() != k.Head.Key {
		return nil, tampered("the wrapped key belongs to a different box, key id or recipient")
	}
	chain, ok := open(key.bytes(), chainLabel, k.Head.Bytes(), k.Chain)
	if !ok || len(chain)%keyLen != 0 || len(chain)/keyLen > maxChain {
		return nil, tampered("the author of the keyring did not have the key of the box")
	}
	defer clear(chain)
	if k.Author.Fingerprint() != k.Head.Author || !k.Author.verify(k.signed(), k.Signature) {
		return nil, tampered("the signature is not that of the author")
	}
	if len(k.Recipients) > 0 && (!sorted(k.Recipients) || linesDigest(k.Recipients) != k.Head.Lines) {
		return nil, tampered("its recipients were changed")
	}
	return &Opened{Keyring: *k, Key: key, Earlier: splitKeys(chain)}, nil
}

// tampered returns the error for a keyring that fails verification.
func tampered(why string) error {
	return fault(client.ErrKeyringTampered, "the keyring was changed: "+why+
		"; nothing was sent; report this to a box admin, and check whether this is the right server", nil)
}

// Find returns the key that has the given id. It searches the current key and the earlier keys.
func (o *Opened) Find(id KeyID) (_ BoxKey, ok bool) {
	for _, key := range append([]BoxKey{o.Key}, o.Earlier...) {
		if key.ID() == id {
			return key, true
		}
	}
	return BoxKey{}, false
}

// Recipient returns the recipient that has the given fingerprint. It finds none if the field Recipients is empty.
func (k *Keyring) Recipient(of Fingerprint) (_ Recipient, ok bool) {
	for _, each := range k.Recipients {
		if each.Fingerprint == of {
			return each, true
		}
	}
	return Recipient{}, false
}

// Anchor returns the anchor of the keyring's current key.
func (k *Keyring) Anchor() Anchor {
	return Anchor{Box: k.Head.Box, Mode: k.Head.Mode, Key: k.Head.Key}
}

func wrapInfo(place Place, key KeyID, recipient Fingerprint) []byte {
	return slices.Concat(part([]byte(wrapLabel)), part(place.Installation[:]), part(place.Box[:]),
		[]byte{byte(place.Mode)}, key[:], recipient[:])
}

// linesDigest returns the hash of the recipients. The recipients must be sorted by fingerprint.
func linesDigest(recipients []Recipient) [32]byte {
	lines := make([]byte, 0, len(recipients)*(16+32+32))
	for _, each := range recipients {
		wrapped := sha256.Sum256(each.Wrapped)
		lines = append(lines, each.User[:]...)
		lines = append(lines, each.Fingerprint[:]...)
		lines = append(lines, wrapped[:]...)
	}
	return sha256.Sum256(lines)
}

// sorted reports whether recipients are in the order of their fingerprints, without duplicates.
func sorted(recipients []Recipient) bool {
	for i := range len(recipients) - 1 {
		if bytes.Compare(recipients[i].Fingerprint[:], recipients[i+1].Fingerprint[:]) >= 0 {
			return false
		}
	}
	return true
}

func joinKeys(all []BoxKey) []byte {
	joined := make([]byte, 0, len(all)*keyLen)
	for _, key := range all {
		joined = append(joined, key.bytes()...)
	}
	return joined
}

func splitKeys(joined []byte) []BoxKey {
	var all []BoxKey
	for raw := range slices.Chunk(joined, keyLen) {
		all = append(all, BoxKey{secretOf([keyLen]byte(raw))})
	}
	return all
}
