// Package kdf runs Argon2id (RFC 9106) behind one gate, so that however many requests ask for it at once, it takes a
// bounded part of the machine's memory and cores and leaves the rest to work that takes microseconds.
package kdf

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

const (
	keyBytes = 32
	// weightFactor: the blocks of a derivation are garbage as soon as it ends, and the collector lets garbage grow
	// to the size of what is live before it runs. A derivation of m KiB can therefore hold up to 2m.
	weightFactor = 2
	workloads    = 2

	defaultBudgetKiB = 512 << 10
	defaultQueue     = 64
	defaultIdle      = 10 * time.Second
)

// ErrTooHeavy says that a derivation needs more memory than the whole pool may use. Waiting would not help: either the
// pool's budget or the parameters are set wrong.
var ErrTooHeavy = errors.New("the derivation needs more memory than the pool may use")

// ErrParams says that Argon2id is not defined for the parameters (RFC 9106, section 3.1).
var ErrParams = errors.New("the parameters are not those of Argon2id")

var (
	errQueueFull = errors.New("the queue of derivations is full")
	errEnded     = errors.New("the request ended while its derivation was waiting")
)

// Config says how much of the machine derivations may take. Each zero field means its default.
type Config struct {
	// BudgetKiB is the memory that all derivations at once may hold, in KiB. One of m KiB counts 2m, because its
	// memory stays with the process until the collector has run. Default 524288 (512 MiB).
	BudgetKiB uint64
	// Cores is how many cores derivations may keep busy at once; each takes as many as it has threads. Default half
	// of GOMAXPROCS, at least 1.
	Cores int
	// QueueLength is how many derivations of each workload may wait; one more is refused. Default 64.
	QueueLength int
	// IdleAfter is how long the pool must have been idle before memory is given back to the system. Default 10 s.
	IdleAfter time.Duration
}

// Pool is the gate. Its methods are safe for concurrent use.
type Pool struct {
	config Config
	// derive and giveBack are what tests replace.
	derive   func(secret, salt []byte, params ports.Argon2Params) []byte
	giveBack func()

	mu        sync.Mutex
	queues    [workloads][]*job
	turn      int // the workload that goes first when both wait
	running   int
	coresBusy int
	heldKiB   uint64
	refused   [workloads]uint64
	done      [workloads]uint64
	idle      *time.Timer
	idling    sync.WaitGroup // one for a timer that is armed or at work
	dirty     bool           // something ran since memory was last given back
	closed    bool
}

// job is one derivation that waits or runs.
type job struct {
	cores   int
	kib     uint64
	granted chan struct{} // closed, under the lock, when its turn has come
}

// New makes a pool. Close ends its timer.
func New(config Config) *Pool {
	if config.BudgetKiB == 0 {
		config.BudgetKiB = defaultBudgetKiB
	}
	if config.Cores <= 0 {
		config.Cores = max(1, runtime.GOMAXPROCS(0)/2)
	}
	if config.QueueLength <= 0 {
		config.QueueLength = defaultQueue
	}
	if config.IdleAfter <= 0 {
		config.IdleAfter = defaultIdle
	}
	return &Pool{config: config, derive: argon2id, giveBack: debug.FreeOSMemory}
}

func argon2id(secret, salt []byte, params ports.Argon2Params) []byte {
	return argon2.IDKey(secret, salt, params.Time, params.MemoryKiB, params.Threads, keyBytes)
}

// MaxMemoryKiB is the largest MemoryKiB of a single derivation that the pool can ever run. Settings, and the bound on
// parameters read from storage, must not be above it.
func (p *Pool) MaxMemoryKiB() uint32 {
	return uint32(min(p.config.BudgetKiB/weightFactor, 1<<32-1))
}

// Derive computes Argon2id of secret and salt, 32 bytes, when its turn comes. The two workloads take turns, each in
// the order of arrival. It implements ports.DeriveFunc.
//
// Errors: domain.ErrBusy with its cause when the queue of the workload is full, or when ctx ends before the turn
// comes; ErrTooHeavy when it can never come; ErrParams. A derivation that has begun is finished whatever becomes of
// ctx, because Argon2id cannot be interrupted.
func (p *Pool) Derive(
	ctx context.Context, use ports.Workload, secret, salt []byte, params ports.Argon2Params,
) ([]byte, error) {
	wanted, err := p.weigh(use, params)
	if err != nil {
		return nil, err
	}
	if err := p.enter(ctx, use, wanted); err != nil {
		return nil, err
	}
	defer p.leave(use, wanted)
	return p.derive(secret, salt, params), nil
}

// weigh checks the parameters and makes the job that they ask for.
func (p *Pool) weigh(use ports.Workload, params ports.Argon2Params) (*job, error) {
	threads := uint32(params.Threads)
	if int(use) >= workloads || params.Time < 1 || threads < 1 || params.MemoryKiB < 8*threads {
		return nil, fmt.Errorf("%w: m=%d KiB, t=%d, p=%d", ErrParams, params.MemoryKiB, params.Time, params.Threads)
	}
	wanted := &job{
		cores:   min(int(params.Threads), p.config.Cores),
		kib:     weightFactor * uint64(params.MemoryKiB),
		granted: make(chan struct{}),
	}
	if wanted.kib > p.config.BudgetKiB {
		return nil, fmt.Errorf("%w: m=%d KiB, at most %d KiB", ErrTooHeavy, params.MemoryKiB, p.MaxMemoryKiB())
	}
	return wanted, nil
}

// enter returns when the job may run.
func (p *Pool) enter(ctx context.Context, use ports.Workload, wanted *job) error {
	if err := p.line(ctx, use, wanted); err != nil {
		return err
	}
	select {
	case <-wanted.granted:
		return nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-wanted.granted: // both happened at once; nobody waits for the result any more
		p.release(wanted)
	default:
		p.forget(use, wanted)
	}
	p.admit()
	p.restIfIdle()
	p.refused[use]++
	return busy(ctx)
}

// line puts the job into its queue, and lets whoever may run begin.
func (p *Pool) line(ctx context.Context, use ports.Workload, wanted *job) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if ctx.Err() != nil {
		p.refused[use]++
		return busy(ctx)
	}
	p.stopIdle()
	p.queues[use] = append(p.queues[use], wanted)
	p.admit()
	if len(p.queues[use]) > p.config.QueueLength {
		// The last in line is the one that has just come: the others had room.
		p.forget(use, wanted)
		p.refused[use]++
		return domain.ErrBusy.Because(errQueueFull)
	}
	return nil
}

// admit lets jobs run while there is room, one workload after the other. The one whose turn it is waits for room
// rather than being overtaken: a heavy job would otherwise wait for ever behind a stream of light ones.
func (p *Pool) admit() {
	for {
		next := p.turn
		if len(p.queues[next]) == 0 {
			next = (next + 1) % workloads
		}
		if len(p.queues[next]) == 0 {
			return
		}
		first := p.queues[next][0]
		if p.heldKiB+first.kib > p.config.BudgetKiB || p.coresBusy+first.cores > p.config.Cores {
			return
		}
		p.queues[next] = p.queues[next][1:]
		p.turn = (next + 1) % workloads
		p.running++
		p.coresBusy += first.cores
		p.heldKiB += first.kib
		close(first.granted)
	}
}

func (p *Pool) leave(use ports.Workload, finished *job) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done[use]++
	p.dirty = true
	p.release(finished)
	p.admit()
	p.restIfIdle()
}

func (p *Pool) release(finished *job) {
	p.running--
	p.coresBusy -= finished.cores
	p.heldKiB -= finished.kib
}

func (p *Pool) forget(use ports.Workload, gone *job) {
	for i, each := range p.queues[use] {
		if each == gone {
			p.queues[use] = append(p.queues[use][:i:i], p.queues[use][i+1:]...)
			return
		}
	}
}

func busy(ctx context.Context) error {
	return domain.ErrBusy.Because(fmt.Errorf("%w: %w", errEnded, ctx.Err()))
}
