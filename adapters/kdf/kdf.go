// Package kdf runs key derivations (Argon2id, RFC 9106) in a pool. The pool limits their memory and cores, so other
// requests stay fast however many key derivations arrive. It schedules two workloads fairly: passwords of users and
// passphrases of entries.
package kdf

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
	"golang.org/x/crypto/argon2"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

const (
	keyBytes = 32 // length of a derived key
	// The pool counts weightFactor times m KiB for a derivation, where m is its memory parameter. When a derivation
	// ends, its memory becomes garbage. With the default GOGC, garbage can grow to the size of the live heap. A
	// derivation of m KiB can therefore use 2m KiB.
	weightFactor = 2
	workloads    = 2 // ports.PasswordWork and ports.EntryWork

	defaultBudgetKiB = 512 << 10
	defaultQueue     = 64
	defaultIdle      = 10 * time.Second
)

// ErrTooHeavy means that a key derivation needs more memory than the whole pool may use. A retry cannot succeed: either
// the pool's budget or the parameters must change.
var ErrTooHeavy = errors.New("the key derivation needs more memory than the pool may use")

// ErrParams means that the parameters are outside the ranges of Argon2id (RFC 9106, section 3.1).
var ErrParams = errors.New("invalid Argon2id parameters")

// Each domain.ErrBusy that Derive returns has one of these errors as its cause. Only the log shows the cause.
var (
	errQueueFull = errors.New("the queue of key derivations is full")
	errEnded     = errors.New("the request ended while its key derivation was waiting")
)

// Config sets the limits of a Pool. A zero field selects the default.
type Config struct {
	// BudgetKiB is the memory for all concurrent key derivations, in KiB. A derivation of m KiB counts as 2m KiB,
	// because the process keeps the memory until the garbage collector runs. The default is 524288 (512 MiB).
	BudgetKiB uint64
	// Cores is the number of cores for all concurrent key derivations. A derivation uses one core for each of its
	// threads. The default is half of GOMAXPROCS, at least 1.
	Cores int
	// QueueLength is the maximum number of waiting key derivations per workload. The default is 64.
	QueueLength int
	// IdleAfter is how long the pool must be idle before it returns memory to the operating system. The default is 10
	// s.
	IdleAfter time.Duration
	// Tracer makes a span for each key derivation of a traced request. If Tracer is nil, no spans are made.
	Tracer trace.Tracer
}

// Pool runs key derivations within the limits of its Config. It is safe for concurrent use.
type Pool struct {
	config Config
	// derive and freeMemory are variables so that tests can replace them.
	derive     func(secret, salt []byte, params ports.Argon2Params) []byte
	freeMemory func()

	mu        sync.Mutex // protects the fields below
	queues    [workloads][]*job
	turn      int               // the workload that is served first if both have waiting jobs
	rounds    [workloads]uint64 // the round of the job that was granted last; see enqueue
	running   int
	coresBusy int
	heldKiB   uint64
	refused   [workloads]uint64
	done      [workloads]uint64
	idle      *time.Timer
	idling    sync.WaitGroup // counts idle timers that are pending or executing
	dirty     bool           // a derivation ran since memory was last returned
	closed    bool
}

// job is a key derivation that waits or runs.
type job struct {
	cores int
	kib   uint64
	// The field origin is the user or address that caused the job. The queue is sorted by the field round; see enqueue.
	origin string
	round  uint64
	// granted is a channel that the pool closes when it starts or refuses the job. If the pool refuses the job, it
	// first stores the reason in the field refusal. The pool holds its lock during both steps.
	granted chan struct{}
	refusal error
}

// New returns a Pool. Close stops its idle timer.
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
	return &Pool{config: config, derive: argon2id, freeMemory: debug.FreeOSMemory}
}

func argon2id(secret, salt []byte, params ports.Argon2Params) []byte {
	return argon2.IDKey(secret, salt, params.Time, params.MemoryKiB, params.Threads, keyBytes)
}

// MaxMemoryKiB returns the largest memory parameter, in KiB, that a derivation in this pool can have. The configured
// parameters and the limit for stored parameters must not exceed this value.
func (p *Pool) MaxMemoryKiB() uint32 {
	return uint32(min(p.config.BudgetKiB/weightFactor, 1<<32-1))
}

// Derive returns the 32-byte Argon2id hash of secret and salt. It waits until enough memory and cores are available.
// The two workloads alternate. Within a workload, jobs of different origins (see ports.WithOrigin) alternate, and the
// jobs of one origin run in the order of arrival. It implements ports.DeriveFunc.
//
// Derive returns domain.ErrBusy, with a cause, if ctx ends while the job waits, or if the pool refuses the job. When a
// job arrives at a full queue of its workload, the pool refuses one job of the origin with the most waiting jobs. The
// refused job is not necessarily the new one. Derive returns ErrTooHeavy if the parameters need more memory than the
// whole pool has, and ErrParams if they are invalid. A running key derivation ignores ctx, because Argon2id cannot be
// interrupted.
func (p *Pool) Derive(
	ctx context.Context, use ports.Workload, secret, salt []byte, params ports.Argon2Params,
) ([]byte, error) {
	if p.config.Tracer != nil {
		var end func()
		ctx, end = p.startSpan(ctx, use, params)
		defer end()
	}
	j, err := p.newJob(use, params)
	if err != nil {
		return nil, err
	}
	if err := p.acquire(ctx, use, j); err != nil {
		return nil, err
	}
	defer p.finish(use, j)
	if p.config.Tracer != nil {
		trace.SpanFromContext(ctx).AddEvent("started") // the wait in the queue is over
	}
	return p.derive(secret, salt, params), nil
}

// newJob checks the parameters and returns a job with the memory and cores that they require.
func (p *Pool) newJob(use ports.Workload, params ports.Argon2Params) (*job, error) {
	threads := uint32(params.Threads)
	if int(use) >= workloads || params.Time < 1 || threads < 1 || params.MemoryKiB < 8*threads {
		return nil, fmt.Errorf("%w: m=%d KiB, t=%d, p=%d", ErrParams, params.MemoryKiB, params.Time, params.Threads)
	}
	j := &job{
		cores:   min(int(params.Threads), p.config.Cores),
		kib:     weightFactor * uint64(params.MemoryKiB),
		granted: make(chan struct{}),
	}
	if j.kib > p.config.BudgetKiB {
		return nil, fmt.Errorf("%w: the derivation needs %d KiB, but at most %d KiB are allowed", ErrTooHeavy,
			params.MemoryKiB, p.MaxMemoryKiB())
	}
	return j, nil
}

// acquire queues a job and waits until it may run. If acquire returns nil, the caller must call finish after the
// derivation.
func (p *Pool) acquire(ctx context.Context, use ports.Workload, j *job) error {
	if err := p.enqueue(ctx, use, j); err != nil {
		return err
	}
	select {
	case <-j.granted:
		return j.refusal
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-j.granted:
		if j.refusal != nil {
			return j.refusal
		}
		p.release(j) // the job was granted, but ctx has ended: do not run it
	default:
		p.dequeue(use, j)
	}
	p.admit()
	p.restIfIdle()
	p.refused[use]++
	return busy(ctx)
}

// enqueue adds the job to the queue of its workload and starts the jobs for which memory and cores are free.
//
// Each job gets a number, which is called its round. The queue is sorted by round, as in start-time fair queueing
// (Goyal, Vin, Cheng, SIGCOMM 1996). The round of a new job is at least the round of the job that was granted last. If
// other jobs of the same origin wait, the round of the new job is one more than the highest round among them. An origin
// with many waiting jobs therefore delays another origin by only one job.
func (p *Pool) enqueue(ctx context.Context, use ports.Workload, j *job) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if ctx.Err() != nil {
		p.refused[use]++
		return busy(ctx)
	}
	p.stopIdle()
	j.origin, j.round = ports.Origin(ctx), p.rounds[use]
	for _, each := range p.queues[use] {
		if each.origin == j.origin {
			j.round = max(j.round, each.round+1)
		}
	}
	at := len(p.queues[use])
	for at > 0 && p.queues[use][at-1].round > j.round {
		at--
	}
	p.queues[use] = slices.Insert(p.queues[use], at, j)
	p.admit()
	if waiting := p.queues[use]; len(waiting) > p.config.QueueLength {
		last := waiting[len(waiting)-1]
		p.dequeue(use, last)
		p.refused[use]++
		last.refusal = domain.ErrBusy.Because(errQueueFull)
		close(last.granted)
	}
	return nil
}

// admit starts waiting jobs while memory and cores are free, and alternates between the workloads. The caller holds
// p.mu. If the next job does not fit, admit starts no other job, because a stream of small jobs could delay a large job
// indefinitely.
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
		p.rounds[next] = first.round
		p.turn = (next + 1) % workloads
		p.running++
		p.coresBusy += first.cores
		p.heldKiB += first.kib
		close(first.granted)
	}
}

// finish records a completed job and starts waiting jobs.
func (p *Pool) finish(use ports.Workload, finished *job) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done[use]++
	p.dirty = true
	p.release(finished)
	p.admit()
	p.restIfIdle()
}

// release frees the memory and cores of a granted job. The caller holds p.mu.
func (p *Pool) release(finished *job) {
	p.running--
	p.coresBusy -= finished.cores
	p.heldKiB -= finished.kib
}

// dequeue removes a waiting job from its queue. The caller holds p.mu.
func (p *Pool) dequeue(use ports.Workload, waiting *job) {
	for i, each := range p.queues[use] {
		if each == waiting {
			p.queues[use] = append(p.queues[use][:i:i], p.queues[use][i+1:]...)
			return
		}
	}
}

func busy(ctx context.Context) error {
	return domain.ErrBusy.Because(fmt.Errorf("%w: %w", errEnded, ctx.Err()))
}
