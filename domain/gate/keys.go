package gate

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// The labels of digests ("account", "account from", "address", "initialize from", "entry key") are part of the stored
// keys: with another label, the gate would no longer find the counters.

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
	return []counter{{CounterKey: ports.CounterKey{Key: key}, free: free}}
}

// ownAddress returns the group of the requester's own address; empty if the address is unknown or shared with others.
func ownAddress(by domain.Requester) string {
	if by.SharedAddress || by.Address == "" {
		return ""
	}
	return domain.AddressGroup(by.Address)
}

// accountKey returns the key under which an attempt is counted: the key of the known address, or else the key of the
// account.
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

// accountDigest returns the key of an account's counter. The name must be in lower case.
func (g *Gate) accountDigest(username string) domain.Digest {
	return g.config.Digests.Digest("account", username)
}

// knownAddressDigest returns the key under which an address is remembered for an account. While the address is
// remembered, its attempts are counted under the same key.
func (g *Gate) knownAddressDigest(attempt Attempt) domain.Digest {
	return g.config.Digests.Digest("account from", attempt.username, attempt.address)
}
