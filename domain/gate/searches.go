package gate

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

const (
	// maxSearches is the maximum number of searches of the audit log that run at the same time on one server. One
	// search may read thousands of events, so a higher number of searches would delay other requests.
	maxSearches = 2
	// maxWaitingSearches is the maximum number of searches that wait on one server. maxOwnWaiting is the maximum number
	// of waiting searches of one user.
	maxWaitingSearches = 64
	maxOwnWaiting      = 8
	// searchWait is the longest wait of a search. A search normally takes milliseconds. It waits this long only if the
	// database is overloaded.
	searchWait = 2 * time.Second
)

// Events returns a page of the audit log. The caller must be authorised to read it. A call that filters by action or
// user is a search: it reads many events to find few. At most two searches run at once, and each user has at most one
// of them. Other searches wait. Events returns ErrBusy if too many searches wait, if the wait reaches searchWait, or if
// ctx ends during the wait.
func (g *Gate) Events(ctx context.Context, caller domain.UserID, filter ports.EventFilter) (ports.EventPage, error) {
	events := g.config.Store.Read().Events
	if filter.Action == (domain.Action{}) && filter.Actor == "" {
		return events.List(ctx, filter)
	}
	if err := g.searches.begin(ctx, caller); err != nil {
		return ports.EventPage{}, err
	}
	defer g.searches.end(caller)
	return events.List(ctx, filter)
}

// searches limits how many searches run at the same time. It is safe for concurrent use.
type searches struct {
	mu sync.Mutex // guards the fields below
	// running contains each user who has a running search. A user has at most one, so that a single user cannot delay
	// the searches of all other users.
	running map[domain.UserID]bool
	waiting []*waitingSearch // in the order of their arrival
}

type waitingSearch struct {
	user    domain.UserID
	started chan struct{} // closed when the search may run
}

// begin waits until the user's search may run, for at most searchWait. It returns ErrBusy if the queue is full, if the
// wait reaches searchWait, or if ctx ends during the wait. If begin returns nil, the caller must call end after the
// search.
func (s *searches) begin(ctx context.Context, user domain.UserID) error {
	search, err := s.enqueue(user)
	if err != nil {
		return err
	}
	timer := time.NewTimer(searchWait)
	defer timer.Stop()
	select {
	case <-search.started:
		return nil
	case <-timer.C:
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.waiting, search)
	if i < 0 {
		return nil // it was started in the meantime
	}
	s.waiting = slices.Delete(s.waiting, i, i+1)
	return domain.ErrBusy.Because(context.Cause(ctx))
}

// enqueue adds a search to the queue and starts it if possible.
func (s *searches) enqueue(user domain.UserID) (*waitingSearch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	own := 0
	for _, each := range s.waiting {
		if each.user == user {
			own++
		}
	}
	if own >= maxOwnWaiting || len(s.waiting) >= maxWaitingSearches {
		return nil, domain.ErrBusy
	}
	search := &waitingSearch{user: user, started: make(chan struct{})}
	s.waiting = append(s.waiting, search)
	s.startNext()
	return search, nil
}

// end removes the user's finished search and starts waiting searches. Call it once after each call of begin that
// returned nil.
func (s *searches) end(user domain.UserID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, user)
	s.startNext()
}

// startNext starts waiting searches, oldest first. It skips each search whose user already has a running search. The
// caller holds mu.
func (s *searches) startNext() {
	s.waiting = slices.DeleteFunc(s.waiting, func(search *waitingSearch) bool {
		if len(s.running) >= maxSearches || s.running[search.user] {
			return false
		}
		s.running[search.user] = true
		close(search.started)
		return true
	})
}
