package gate

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

const (
	// refusalWindow is the period in which the refusals of one caller, action and box are counted together.
	refusalWindow = time.Minute
	// freeRefusals is the number of refusals in a window that have their own event. It is enough for a person who makes
	// mistakes.
	freeRefusals = 10
	// maxRefusalWindows is the maximum number of windows in memory. A refusal without a window has its own event.
	maxRefusalWindows = 4096
)

// repeatedRefusals counts refusals that have no event of their own, so that a caller cannot fill the audit log with
// refused requests. It is safe for concurrent use.
type repeatedRefusals struct {
	mu      sync.Mutex // guards windows and their contents
	windows map[refusalKey]*window
}

// refusalKey identifies refusals that are counted together. In the key, box is zero for every box that the caller
// cannot see.
type refusalKey struct {
	caller domain.UserID
	action domain.Action
	box    domain.BoxID
}

// window counts the refusals with one key, from the time started.
type window struct {
	started time.Time
	// written is the number of refusals that have their own event. suppressed is the number of refusals that no event
	// covers yet.
	written, suppressed int
	// last is the event of the last suppressed refusal.
	last domain.Event
}

// suppress counts a refusal. It returns true if the window already has freeRefusals events. The caller must then write
// no event for the refusal: flush later writes one event for all suppressed refusals of the window.
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

// add counts refusals. The last event keeps its key, target or address only if all refusals have the same key, target
// or address.
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

// take removes the windows that began before the given time, and returns those with suppressed refusals.
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

// restore counts the refusals of a window again after the event of the window could not be written. The next flush then
// includes them.
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

// FlushRefusals writes the events of suppressed refusals whose window has ended: one event for each window, with the
// number of its refusals. The server calls it at an interval.
func (g *Gate) FlushRefusals(ctx context.Context) error {
	return g.flush(ctx, g.config.Clock.Now().Add(-refusalWindow))
}

// FlushAllRefusals is FlushRefusals for all windows. The server calls it when it stops, after the last request.
func (g *Gate) FlushAllRefusals(ctx context.Context) error {
	return g.flush(ctx, g.config.Clock.Now().Add(time.Nanosecond))
}

// flush writes the events of windows that began before the given time. It keeps the refusals whose event could not be
// written, and states the number of these refusals in its error.
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
