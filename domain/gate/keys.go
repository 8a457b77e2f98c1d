package gate

import (
	"github.com/lockbox-go/lockbox/domain"
)

// Do not change the labels of digests: "account", "account from", "account month", "address", "initialize from" and
// "entry key". The keys of the stored counters are computed from these labels. With another label, the gate would not
// find the counters.

// forwardingFactor multiplies the limit of a peer that forwards requests but is not a trusted proxy. The limit is
// higher because many clients may share the peer. It is not unlimited, because any client can send the header that
// marks a peer as forwarding.
const forwardingFactor = 20

// addressCounters returns the counter of the peer's address, or no counter if the address is unknown. A peer that
// forwards requests has a separate counter with a higher limit; see forwardingFactor.
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

// ownAddress returns the group of the requester's address; see domain.AddressGroup. It returns the empty string if the
// address is unknown or if other clients may share it.
func ownAddress(by domain.Requester) string {
	if by.SharedAddress || by.Address == "" {
		return ""
	}
	return domain.AddressGroup(by.Address)
}

// accountCounters returns the counters of an account. Attempts from all unknown addresses increment two of them. One
// counts the attempts within domain.AttemptWindow, and the other the attempts within a month. The third counts the
// attempts for this account from this address. It is absent if attempt.address is empty.
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

// monthDigest returns the key of the counter for a month. Such a counter is kept for a month, even if no user has the
// username. The number of counters must therefore be bounded. Only 20 bits of the account's digest select the counter:
// there are about a million counters, and two accounts may share one. The digest is keyed, so a client cannot compute
// which username shares the counter of another username.
func (g *Gate) monthDigest(account domain.Digest) domain.Digest {
	return g.config.Digests.Digest("account month", string([]byte{account[0], account[1], account[2] & 0xf0}))
}

// accountDigest returns the key of an account's counter for domain.AttemptWindow. The username must be in lower case.
func (g *Gate) accountDigest(username string) domain.Digest {
	return g.config.Digests.Digest("account", username)
}

// knownAddressDigest returns the key for the pair of account and address. The counter of the pair is stored under this
// key, and so is the time until which the address is known for the account.
func (g *Gate) knownAddressDigest(attempt Attempt) domain.Digest {
	return g.config.Digests.Digest("account from", attempt.username, attempt.address)
}
