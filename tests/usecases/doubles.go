package usecases

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// Clock is a clock that tests set. It implements ports.Clock.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// newClock returns a clock that is set to the current time. The database compares some stored times with its own clock,
// so the clock must not start at an arbitrary time.
func newClock() *Clock { return &Clock{now: time.Now().UTC().Truncate(time.Microsecond)} }

// Now returns the time that was set last.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock forward.
func (c *Clock) Advance(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(by)
}

// Passwords stores passwords without hashing them. It implements ports.Passwords.
type Passwords struct {
	// Compared counts the calls of Check.
	Compared atomic.Int64
	// Learned counts the calls of Learn.
	Learned atomic.Int64
	// While Busy is set, Hash and Check return domain.ErrBusy.
	Busy atomic.Bool
	// During, if set, is called once, in the middle of Hash or Check. A test can use During to change permissions. In
	// production, this can happen too: Hash and Check are slow, and other requests run meanwhile.
	During func()
}

// Hash returns the password.
func (p *Passwords) Hash(_ context.Context, password domain.Secret) ([]byte, error) {
	p.interrupt()
	if p.Busy.Load() {
		return nil, domain.ErrBusy
	}
	return bytes.Clone(password.Bytes()), nil
}

// Check compares two passwords.
func (p *Passwords) Check(_ context.Context, password domain.Secret, stored []byte) (ports.PasswordCheck, error) {
	p.Compared.Add(1)
	p.interrupt()
	if p.Busy.Load() {
		return ports.PasswordCheck{}, domain.ErrBusy
	}
	return ports.PasswordCheck{Match: stored != nil && bytes.Equal(stored, password.Bytes())}, nil
}

// Learn counts its calls.
func (p *Passwords) Learn([]byte) { p.Learned.Add(1) }

func (p *Passwords) interrupt() {
	if during := p.During; during != nil {
		p.During = nil
		during()
	}
}
