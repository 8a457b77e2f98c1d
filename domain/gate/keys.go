package gate

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// The labels of digests ("account", "account from", "address", "initialize from", "entry key") are part of the stored
// keys: with another label, the gate would no longer find the counters.

// forwardingFactor is how many times more attempts are allowed to a peer that forwards for others without being a
// trusted proxy. Many clients may share it, or one client may only claim to, with a header that anyone can send.
const forwardingFactor = 20

// addressCounters returns the counter of the peer's address; none when the address is unknown. A peer that forwards
// has a counter with a higher limit rather than none, because the header that marks it as forwarding is not trusted.
func (g *Gate) addressCounters(by domain.Requester, label string, free int) []counter {
	if by.Address == "" {
		return nil
	}
	if by.SharedAddress {
		label, free = label+" forwarding", forwardingFactor*free
	}
	key := g.config.Digests.Digest(label, domain.AddressGroup(by.Address))
	return []counter{{CounterKey: ports.CounterKey{Key: key}, free: free}}
}

// ownAddress returns the group of the requester's own address; empty if the address is unknown or shared with others.
func ownAddress(by domain.Requester) string {
	if by.SharedAddress || by.Address == "" {
		return ""
	}
	return domain.AddressGroup(by.Address)
}

// accountKey returns the key that an attempt counts under: that of the known address, or else of the account.
func (g *Gate) accountKey(ctx context.Context, repos ports.Repos, attempt Attempt) (domain.Digest, error) {
	if attempt.address == "" {
		return attempt.account, nil
	}
	fromAddress := g.knownAddressDigest(attempt)
	known, err := repos.Attempts.Knows(ctx, fromAddress, g.config.Clock.Now())
	if err != nil || !known {
		return attempt.account, err
	}
	return fromAddress, nil
}

// accountDigest is the key of an account's counter. The name is in lower case.
func (g *Gate) accountDigest(username string) domain.Digest {
	return g.config.Digests.Digest("account", username)
}

// knownAddressDigest is the key under which an address is remembered for an account, and counted while it is.
func (g *Gate) knownAddressDigest(attempt Attempt) domain.Digest {
	return g.config.Digests.Digest("account from", attempt.username, attempt.address)
}
