package httpapi

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// shares divides a resource of fixed size among keys, such as users or addresses. One key gets at most perKey of total.
// A request that would exceed perKey waits until earlier requests of the same key have released enough of the resource.
// It is safe for concurrent use.
type shares struct {
	total, perKey int64
	// maxWait is the longest time that acquire waits.
	maxWait time.Duration
	// holdsWhileWaiting is true if a request already uses the memory for which it waits. In this case, total bounds the
	// sum of all waiting amounts, and perKey bounds the sum of the waiting amounts of each key.
	holdsWhileWaiting bool

	mu      sync.Mutex // guards the fields below
	used    int64
	waiting int64
	byKey   map[string]*share
	queue   []*shareWaiter
	// refusedTotal counts the requests that were refused because total was used up. refusedKey counts the requests
	// that were refused because perKey was used up.
	refusedTotal, refusedKey uint64
}

// share contains the amount that one key uses, and the amount for which requests of the key wait.
type share struct{ used, waiting int64 }

// shareWaiter is a request that waits until its amount is free. When grant takes the amount for the waiter, it closes
// the channel in the field granted.
type shareWaiter struct {
	key     string
	amount  int64
	granted chan struct{}
}

func newShares(total, perKey int64, maxWait time.Duration) *shares {
	return &shares{
		total:   total,
		perKey:  min(perKey, total),
		maxWait: maxWait,
		byKey:   make(map[string]*share),
	}
}

// clamp returns the given amount, or perKey if the amount is larger, because a key can never get more than perKey. A
// request for more than perKey runs only while its key uses nothing else.
func (s *shares) clamp(amount int64) int64 { return min(amount, s.perKey) }

// acquire takes the given amount of the resource for a key. perKey does not apply to the empty key. If too little is
// free, acquire waits for up to maxWait. Waiting requests are served in the order of arrival, but a request that waits
// because its key has reached perKey does not delay requests of other keys. The caller must give the amount back with
// release.
//
// acquire returns RateLimited if the share of the key is still used up after the wait. It returns Unavailable if the
// whole resource is still used up after the wait. It returns errClientClosed if ctx ends during the wait.
func (s *shares) acquire(ctx context.Context, key string, amount int64) error {
	amount = s.clamp(amount)
	waiter, err := s.tryAcquire(key, amount)
	if waiter == nil {
		return err
	}
	timer := time.NewTimer(s.maxWait)
	defer timer.Stop()
	select {
	case <-waiter.granted:
		return nil
	case <-timer.C:
	case <-ctx.Done():
	}
	return s.giveUp(ctx, waiter)
}

// acquireNow works like acquire but never waits. If acquire would wait or fail, acquireNow takes nothing and returns
// false.
func (s *shares) acquireNow(key string, amount int64) bool {
	amount = s.clamp(amount)
	s.mu.Lock()
	defer s.mu.Unlock()
	own := s.byKey[key]
	if own == nil {
		own = &share{}
	}
	if !s.fits(key, own, amount) || s.isQueued(key) {
		return false
	}
	s.byKey[key] = own
	s.take(own, amount)
	return true
}

// tryAcquire takes the amount and returns nil, nil. If the amount is not free, tryAcquire adds a waiter to the queue
// and returns the waiter. If the request must not wait, tryAcquire returns an error.
func (s *shares) tryAcquire(key string, amount int64) (*shareWaiter, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	own := s.byKey[key]
	if own == nil {
		own = &share{}
		s.byKey[key] = own
	}
	if s.fits(key, own, amount) && !s.isQueued(key) {
		s.take(own, amount)
		return nil, nil
	}
	mayWait := s.maxWait > 0 && (!s.holdsWhileWaiting ||
		s.waiting+amount <= s.total && (key == "" || own.waiting+amount <= s.perKey))
	if !mayWait {
		return nil, s.refuse(key, own, amount)
	}
	waiter := &shareWaiter{key: key, amount: amount, granted: make(chan struct{})}
	own.waiting += amount
	s.waiting += amount
	s.queue = append(s.queue, waiter)
	return waiter, nil
}

// fits reports whether the amount fits into the free part of total and into the free part of the key's share. For the
// empty key, it checks only total. The caller must hold mu. This also applies to each method below that does not lock
// mu itself.
func (s *shares) fits(key string, own *share, amount int64) bool {
	return s.used+amount <= s.total && (key == "" || own.used+amount <= s.perKey)
}

// isQueued reports whether a request must queue behind an earlier waiter. A request must queue if a waiter has the same
// key, or waits because total is used up.
func (s *shares) isQueued(key string) bool {
	return slices.ContainsFunc(s.queue, func(w *shareWaiter) bool { return w.key == key || !s.overShare(w) })
}

// overShare reports whether the key of a waiter already uses so much that the amount of the waiter would exceed perKey.
// The waiter must then wait until a request of the same key releases its amount.
func (s *shares) overShare(w *shareWaiter) bool {
	return w.key != "" && s.byKey[w.key].used+w.amount > s.perKey
}

func (s *shares) take(own *share, amount int64) {
	own.used += amount
	s.used += amount
}

// refuse counts a refusal and returns its error.
func (s *shares) refuse(key string, own *share, amount int64) error {
	defer s.forget(key, own)
	if key != "" && own.used+amount > s.perKey {
		s.refusedKey++
		return errTooManyRequests
	}
	s.refusedTotal++
	return domain.ErrBusy.Because(errResourceUsedUp)
}

// forget removes a key that uses nothing, so that the map stays small.
func (s *shares) forget(key string, own *share) {
	if own.used == 0 && own.waiting == 0 {
		delete(s.byKey, key)
	}
}

// giveUp removes a waiter that has waited too long or whose context has ended. It returns nil if the amount was granted
// in the meantime.
func (s *shares) giveUp(ctx context.Context, waiter *shareWaiter) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.queue, waiter)
	if i < 0 { // granted
		return nil
	}
	s.queue = slices.Delete(s.queue, i, i+1)
	own := s.byKey[waiter.key]
	own.waiting -= waiter.amount
	s.waiting -= waiter.amount
	err := s.refuse(waiter.key, own, waiter.amount)
	s.grant() // a waiter for less may fit now
	if ctx.Err() != nil {
		return errClientClosed.Because(ctx.Err())
	}
	return err
}

// release gives back an amount that acquire has taken for the key.
func (s *shares) release(key string, amount int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	amount = s.clamp(amount)
	own := s.byKey[key]
	own.used -= amount
	s.used -= amount
	s.grant()
	s.forget(key, own)
}

// grant serves the waiters in the order of arrival. It skips a waiter if the key of the waiter would then use more than
// perKey. It stops at the first waiter whose amount does not fit into the free part of total. It serves no smaller
// request behind this waiter, because such requests could delay a large request indefinitely.
func (s *shares) grant() {
	blocked := false
	s.queue = slices.DeleteFunc(s.queue, func(w *shareWaiter) bool {
		own := s.byKey[w.key]
		if blocked || !s.fits(w.key, own, w.amount) {
			blocked = blocked || !s.overShare(w)
			return false
		}
		own.waiting -= w.amount
		s.waiting -= w.amount
		s.take(own, w.amount)
		close(w.granted)
		return true
	})
}

// sharesStats are the counts of shares.
type sharesStats struct {
	used, highestKey         int64
	refusedTotal, refusedKey uint64
}

// stats returns the current counts. highestKey is the largest amount that any one key uses.
func (s *shares) stats() sharesStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := sharesStats{used: s.used, refusedTotal: s.refusedTotal, refusedKey: s.refusedKey}
	for key, own := range s.byKey {
		if key != "" {
			stats.highestKey = max(stats.highestKey, own.used)
		}
	}
	return stats
}
