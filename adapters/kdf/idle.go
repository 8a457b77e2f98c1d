package kdf

import "time"

// A key derivation leaves tens of megabytes of garbage, which the Go runtime keeps for the next allocation. After an
// idle time the pool returns this memory to the operating system, so a mostly idle server has a small footprint.

// restIfIdle starts the idle timer if the pool is idle and a derivation has run since the pool last returned memory.
// The pool is idle if no derivation runs or waits. The caller holds p.mu.
func (p *Pool) restIfIdle() {
	if p.closed || !p.dirty || p.running > 0 || p.idle != nil {
		return
	}
	p.idling.Add(1)
	var timer *time.Timer
	timer = time.AfterFunc(p.config.IdleAfter, func() {
		defer p.idling.Done()
		p.mu.Lock()
		still := p.idle == timer
		if still {
			p.idle = nil
			p.dirty = false
		}
		p.mu.Unlock()
		if still {
			p.freeMemory()
		}
	})
	p.idle = timer
}

// stopIdle stops the idle timer. The caller holds p.mu. If the timer has already fired, its callback finds that p.idle
// has changed, and does nothing.
func (p *Pool) stopIdle() {
	if p.idle != nil && p.idle.Stop() {
		p.idling.Done()
	}
	p.idle = nil
}

// Close stops the idle timer and waits for its callback. Derive still works after Close.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	p.stopIdle()
	p.mu.Unlock()
	p.idling.Wait()
}
