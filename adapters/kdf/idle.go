package kdf

import "time"

// Argon2id leaves tens of megabytes behind that the collector keeps for the next one. When none has come for a while,
// they go back to the system: a service that somebody signs in to twice a day should not look like one at work.

// restIfIdle arms the timer when nothing runs or waits and something has run; the lock is held.
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
			p.giveBack()
		}
	})
	p.idle = timer
}

// stopIdle disarms the timer; the lock is held. A timer that has fired already finds out by itself.
func (p *Pool) stopIdle() {
	if p.idle != nil && p.idle.Stop() {
		p.idling.Done()
	}
	p.idle = nil
}

// Close disarms the timer and returns when nothing of it is left. Derivations are still served after it.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	p.stopIdle()
	p.mu.Unlock()
	p.idling.Wait()
}
