package identity

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// settleTimeout ends the giving back of an attempt, which does not run under the request: its client may be gone.
const settleTimeout = 5 * time.Second

// attempt is a credential that is about to be compared, and what it is counted under.
type attempt struct {
	action domain.Action
	// username is whose credential it is said to be; empty where there is no account to it.
	username string
	// account is the digest of the username, group what the requester's address is counted as; zero and empty where
	// they do not count.
	account domain.Digest
	group   string
	// at is when it was reserved.
	at     time.Time
	counts []count
}

// count is one of the things that an attempt is counted under.
type count struct {
	ports.CounterKey
	free int
	// clears: an attempt that was right begins the count anew. That of an address is not begun anew, since whoever
	// guesses could do so with an account of his own.
	clears bool
}

// addressOf returns what the address of a requester is counted as; empty where it says nothing.
func addressOf(by domain.Requester) string {
	if by.SharedAddress || by.Address == "" {
		return ""
	}
	return domain.AddressGroup(by.Address)
}

// sharedFactor is how many addresses' worth of attempts a peer has that forwards for others without being trusted to: many
// may stand behind it, or one who only says so, with a header that anybody can send.
const sharedFactor = 20

// perAddress counts by the address of the peer. It is looser for one that forwards, and never off: what turned it off
// could be sent by whoever wants to be counted less.
func (s *core) perAddress(by domain.Requester, label string, free int) []count {
	if by.Address == "" {
		return nil
	}
	if by.SharedAddress {
		label, free = label+" forwarding", sharedFactor*free
	}
	key := s.Digests.Digest(label, domain.AddressGroup(by.Address))
	return []count{{CounterKey: ports.CounterKey{Key: key}, free: free}}
}

// reserveAccount counts an attempt to be that user, before anything is compared, so that many at once cannot all be
// free. An address that signed in lately counts for itself in place of the account, so that strangers who guess do not
// lock out whoever comes from the usual place. A name that nobody has is counted like any other.
// Errors: RateLimited when it has to wait; it is not counted then.
func (s *core) reserveAccount(ctx context.Context, by domain.Requester, action domain.Action, username string) (attempt,
	error) {
	username = strings.ToLower(username)
	try := attempt{
		action:   action,
		username: username,
		account:  s.Digests.Digest("account", username),
		group:    addressOf(by),
	}
	return s.reserve(ctx, by, try, func(ctx context.Context, repos ports.Repos) ([]count, error) {
		mine := count{CounterKey: ports.CounterKey{Key: try.account, Account: try.account},
			free: s.Throttle.FreePerAccount, clears: true}
		if try.group != "" {
			known := s.knownAddress(try)
			knows, err := repos.Attempts.Knows(ctx, known, s.Clock.Now())
			if err != nil {
				return nil, err
			}
			if knows {
				mine.Key = known
			}
		}
		return append(s.perAddress(by, "address", s.Throttle.FreePerAddress), mine), nil
	})
}

// knownAddress is under which an address is remembered for an account, and counted then.
func (s *core) knownAddress(try attempt) domain.Digest {
	return s.Digests.Digest("account from", try.username, try.group)
}

// reserveInit counts an attempt at the token of initialization, by address alone: a count of all together would let one
// stranger keep the right token out.
func (s *core) reserveInit(ctx context.Context, by domain.Requester) (attempt, error) {
	counts := s.perAddress(by, "initialize from", s.Throttle.FreePerAccount)
	return s.reserve(ctx, by, attempt{action: domain.ActionInitialize, group: addressOf(by)}, fixed(counts))
}

// reserveAddress counts what has no account to it: the registration of a new one, a refresh token that nobody has.
func (s *core) reserveAddress(ctx context.Context, by domain.Requester, action domain.Action) (attempt, error) {
	counts := s.perAddress(by, "address", s.Throttle.FreePerAddress)
	return s.reserve(ctx, by, attempt{action: action, group: addressOf(by)}, fixed(counts))
}

func fixed(counts []count) func(context.Context, ports.Repos) ([]count, error) {
	return func(context.Context, ports.Repos) ([]count, error) { return counts, nil }
}

// reserve is a short transaction of its own: the comparison that follows is slow.
func (s *core) reserve(ctx context.Context, by domain.Requester, try attempt,
	choose func(context.Context, ports.Repos) ([]count, error)) (attempt, error) {
	wait, err := s.knownWait(ctx, choose)
	if err != nil {
		return try, err
	}
	if wait > 0 {
		return try, domain.TooManyAttempts(wait)
	}
	err = s.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		var err error
		if try.counts, err = choose(ctx, repos); err != nil {
			return err
		}
		stored, err := repos.Attempts.Lock(ctx, try.keys()...)
		if err != nil {
			return err
		}
		now := s.Clock.Now()
		try.at, wait = now, 0
		for _, attempts := range stored {
			wait = max(wait, attempts.Blocked(now))
		}
		if wait > 0 {
			return s.reportThrottled(ctx, repos, by, try, stored)
		}
		for i, each := range try.counts {
			if err := repos.Attempts.Save(ctx, each.Key, stored[i].Reserve(now, each.free)); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && wait > 0 {
		err = domain.TooManyAttempts(wait)
	}
	return try, err
}

// knownWait looks, without a lock and without writing, whether the attempt meets a pause that is on record already: a
// flood of refused attempts must cost little.
func (s *core) knownWait(ctx context.Context,
	choose func(context.Context, ports.Repos) ([]count, error)) (time.Duration, error) {
	repos, now := s.Store.Read(), s.Clock.Now()
	counts, err := choose(ctx, repos)
	if err != nil {
		return 0, err
	}
	var wait time.Duration
	for _, each := range counts {
		attempts, err := repos.Attempts.Peek(ctx, each.Key)
		if err != nil {
			return 0, err
		}
		if attempts.Reported {
			wait = max(wait, attempts.Blocked(now))
		}
	}
	return wait, nil
}

func (a attempt) keys() []ports.CounterKey {
	keys := make([]ports.CounterKey, len(a.counts))
	for i, each := range a.counts {
		keys[i] = each.CounterKey
	}
	return keys
}

// reportThrottled puts one event on record for all attempts that meet the same pause.
func (s *core) reportThrottled(ctx context.Context, repos ports.Repos, by domain.Requester, try attempt,
	stored []domain.Attempts) error {
	now, news := s.Clock.Now(), false
	for i, attempts := range stored {
		if attempts.Reported || attempts.Blocked(now) == 0 {
			continue
		}
		news, attempts.Reported = true, true
		if err := repos.Attempts.Save(ctx, try.counts[i].Key, attempts); err != nil {
			return err
		}
	}
	if !news {
		return nil
	}
	event := s.event(try.action, by, domain.Caller{}).Ended(domain.OutcomeRateLimited)
	// A name that no user has is left out: it may be a password that somebody typed into the wrong field.
	if name, err := domain.ParseUserName(try.username); err == nil {
		if user, err := repos.Users.Get(ctx, name); err == nil {
			event = event.To(string(user.Name))
		} else if !errors.Is(err, domain.NotFound) {
			return err
		}
	}
	return repos.Events.Append(ctx, event)
}

// release gives an attempt back that was not made, or was not wrong. Its failure only leaves the count where it was.
func (s *core) release(ctx context.Context, try attempt) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	_ = s.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		return s.giveBack(ctx, repos, try, false)
	})
}

// succeed is release within the transaction that the attempt let in: it begins the account's count anew, and remembers
// the address.
func (s *core) succeed(ctx context.Context, repos ports.Repos, try attempt) error {
	if err := s.giveBack(ctx, repos, try, true); err != nil {
		return err
	}
	if try.account.IsZero() || try.group == "" {
		return nil
	}
	return repos.Attempts.Remember(ctx, s.knownAddress(try), s.Clock.Now().Add(domain.KnownAddressTTL))
}

func (s *core) giveBack(ctx context.Context, repos ports.Repos, try attempt, right bool) error {
	stored, err := repos.Attempts.Lock(ctx, try.keys()...)
	if err != nil {
		return err
	}
	for i, each := range try.counts {
		after := stored[i].Release(try.at, each.free)
		if right && each.clears {
			after = domain.Attempts{}
		}
		if err := repos.Attempts.Save(ctx, each.Key, after); err != nil {
			return err
		}
	}
	return nil
}
