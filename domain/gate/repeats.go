package gate

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

const (
	// refusalWindow is the length of a window. Refusals with the same caller, action and box in one window are counted
	// together.
	refusalWindow = time.Minute
	// freeRefusals is the number of events for single refusals in a window. It is larger than the number of mistakes
	// that a person makes in a minute.
	freeRefusals = 10
	// maxRefusalWindows is the maximum number of windows in memory. When this number is reached, each refusal that
	// would need a new window has an event.
	maxRefusalWindows = 4096
)

// repeatedRefusals counts refusals. After too many refusals in one window, it suppresses the events of further
// refusals, so that a caller cannot fill the audit log with refused requests. It is safe for concurrent use.
type repeatedRefusals struct {
	mu      sync.Mutex // guards windows and their contents
	windows map[refusalKey]*window
}

// refusalKey identifies refusals that are counted together. The field box is zero if the caller cannot see the box.
type refusalKey struct {
	caller domain.UserID
	action domain.Action
	box    domain.BoxID
}

// window counts the refusals with one refusalKey. It begins with the first of these refusals.
type window struct {
	started time.Time
	// written is the number of refusals that have an event each. suppressed is the number of all other refusals. flush
	// writes one event for all suppressed refusals together.
	written, suppressed int
	// last is the event of the last suppressed refusal.
	last domain.Event
}

// suppress counts a refusal. It returns true if the window already has freeRefusals events. The caller must then not
// write the event, because flush later writes one event for all suppressed refusals of the window.
func (r *repeatedRefusals) suppress(event domain.Event) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := refusalKey{caller: event.Actor, action: event.Action, box: event.Box}
	found := r.windows[key]
	switch {
	case found != nil && (found.suppressed > 0 || event.At.Sub(found.started) < refusalWindow):
	case found == nil && len(r.windows) >= maxRefusalWindows:
		return false
	default:
		found = &window{started: event.At}
		r.windows[key] = found
	}
	if found.written < freeRefusals {
		found.written++
		return false
	}
	found.add(event, 1)
	return true
}

// add increases the number of suppressed refusals by count and replaces the last event. If the keys of the suppressed
// refusals differ, add removes the key from the new last event. The same applies separately to the target and to the
// address.
func (w *window) add(event domain.Event, count int) {
	if w.suppressed > 0 {
		if event.Key != w.last.Key {
			event.Key = ""
		}
		if event.Target != w.last.Target {
			event.Target = ""
		}
		if event.Address != w.last.Address {
			event.Address = ""
		}
	}
	w.last = event
	w.suppressed += count
}

// take removes all windows that began before the given time. It returns only those that have suppressed refusals.
func (r *repeatedRefusals) take(before time.Time) []*window {
	r.mu.Lock()
	defer r.mu.Unlock()
	var ended []*window
	for key, each := range r.windows {
		if !each.started.Before(before) {
			continue
		}
		delete(r.windows, key)
		if each.suppressed > 0 {
			ended = append(ended, each)
		}
	}
	return ended
}

// restore puts a window back after flush could not write its event. If there is a newer window with the same
// refusalKey, restore merges the two windows. The next flush tries again.
func (r *repeatedRefusals) restore(failed *window) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := refusalKey{caller: failed.last.Actor, action: failed.last.Action, box: failed.last.Box}
	if newer := r.windows[key]; newer != nil {
		failed.started, failed.written = newer.started, newer.written
		if newer.suppressed > 0 {
			failed.add(newer.last, newer.suppressed)
		}
	}
	r.windows[key] = failed
}

// FlushRefusals writes one event for each window that has ended and has suppressed refusals. The event contains the
// number of these refusals. The server calls FlushRefusals at an interval.
func (g *Gate) FlushRefusals(ctx context.Context) error {
	return g.flush(ctx, g.config.Clock.Now().Add(-refusalWindow))
}

// FlushAllRefusals does the same as FlushRefusals, but also for windows that have not ended. The server calls it after
// the last request, before it stops.
func (g *Gate) FlushAllRefusals(ctx context.Context) error {
	return g.flush(ctx, g.config.Clock.Now().Add(time.Nanosecond))
}

// flush writes an event for each window that began before the given time and has suppressed refusals. If it cannot
// write an event, it keeps all windows whose events are not written yet, and returns an error with the number of
// suppressed refusals in these windows.
func (g *Gate) flush(ctx context.Context, before time.Time) error {
	lost := 0
	var failure error
	for _, each := range g.repeated.take(before) {
		event := each.last
		event.ID, event.At, event.Suppressed = g.config.IDs.New(), g.config.Clock.Now(), each.suppressed
		if failure == nil {
			failure = g.config.Events.Write(ctx, event)
		}
		if failure != nil {
			lost += each.suppressed
			g.repeated.restore(each)
		}
	}
	if failure != nil {
		return fmt.Errorf("%d suppressed refusals are not in the audit log: %w", lost, failure)
	}
	return nil
}
