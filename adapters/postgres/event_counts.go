package postgres

import (
	"sync/atomic"

	"github.com/lockbox-go/lockbox/domain"
)

// EventKind is an action with its outcome.
type EventKind struct {
	Action  domain.Action
	Outcome domain.Outcome
}

// eventCounts counts committed events by kind. It is safe for concurrent use. Every kind starts with a count of 0.
// Monitoring therefore sees even the first event of a kind as an increase.
type eventCounts map[EventKind]*atomic.Int64

func newEventCounts() eventCounts {
	counts := make(eventCounts)
	for _, action := range domain.Actions() {
		for _, outcome := range domain.Outcomes() {
			counts[EventKind{action, outcome}] = new(atomic.Int64)
		}
	}
	return counts
}

// add counts a committed event. If the event stands for several refused requests, add counts each of these requests.
func (c eventCounts) add(event *domain.Event) {
	if count := c[EventKind{event.Action, event.Outcome}]; count != nil {
		count.Add(int64(max(event.Suppressed, 1)))
	}
}

// values returns the current counts.
func (c eventCounts) values() map[EventKind]int64 {
	values := make(map[EventKind]int64, len(c))
	for kind, count := range c {
		values[kind] = count.Load()
	}
	return values
}
