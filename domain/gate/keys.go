package gate

import (
	"github.com/lockbox-go/lockbox/domain"
)

// The labels of digests ("account", "account from", "account month", "address", "initialize from", "entry key") are
// part of the stored keys: with another label, the gate would no longer find the counters.

// forwardingFactor multiplies the free attempts of a peer that forwards requests of other clients and is not a trusted
// proxy. Many clients may share the peer. The factor is limited because any client can send the header of a proxy.
const forwardingFactor = 20

// addressCounters returns the counter of the peer's address, or no counter when the address is unknown. A peer that
// forwards still has a counter, with a higher limit, because the header that marks a peer as forwarding is not trusted.
func (g *Gate) addressCounters(by domain.Requester, label string, free int) []counter {
	if by.Address == "" {
		return nil
	}
	if by.SharedAddress {
		label, free = label+" forwarding", forwardingFactor*free
	}
	key := g.config.Digests.Digest(label, domain.AddressGroup(by.Address))
	return []counter{newCounter(key, domain.NewLimit(free))}
}

// ownAddress returns the group of the requester's own address, or the empty string if the address is unknown or shared
// with other clients.
func ownAddress(by domain.Requester) string {
	if by.SharedAddress || by.Address == "" {
		return ""
	}
	return domain.AddressGroup(by.Address)
}

// accountCounters returns the counters of an account. Two of them count the attempts from all unknown addresses: one
// for AttemptWindow, and one for a month. The third counts the attempts of the pair of account and address. It is
// absent if the requester has no address of its own.
func (g *Gate) accountCounters(attempt Attempt) []counter {
	limits := g.config.Limits
	account := newCounter(attempt.account, limits.Account()).of(attempt.account)
	month := g.monthDigest(attempt.account)
	counters := []counter{account, newCounter(month, limits.Month()).of(month)}
	counters[0].resets, counters[0].shared, counters[1].shared = true, true, true
	if attempt.address == "" {
		return counters
	}
	pair := newCounter(g.knownAddressDigest(attempt), domain.NewLimit(limits.FreePerAccount)).of(attempt.account)
	pair.resets = true
	return append(counters, pair)
}

// monthDigest returns the key of the row that counts an account's attempts for a month. Rows are kept for a month even
// for usernames that do not exist, so their number must be bounded. 20 bits of the account's digest select one of about
// a million rows, which several accounts may share. The digest is keyed, so a client cannot find a username that shares
// the row of another username.
func (g *Gate) monthDigest(account domain.Digest) domain.Digest {
	return g.config.Digests.Digest("account month", string([]byte{account[0], account[1], account[2] & 0xf0}))
}

// accountDigest returns the key of an account's counter. The name must be in lower case.
func (g *Gate) accountDigest(username string) domain.Digest {
	return g.config.Digests.Digest("account", username)
}

// knownAddressDigest returns the key under which an address is remembered for an account. The attempts of the pair are
// counted under the same key.
func (g *Gate) knownAddressDigest(attempt Attempt) domain.Digest {
	return g.config.Digests.Digest("account from", attempt.username, attempt.address)
}
