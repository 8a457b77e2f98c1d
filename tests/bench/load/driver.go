package load

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Order is a command for a Driver. At most one of Fill, Adopt, Run, Check and Summary is set. If Address is set, the
// Driver first drops its connections and uses Address for all new ones. The first Order must contain Address and
// Connect.
type Order struct {
	// Connect is the number of connections to Address. If Connect is 0, the number does not change.
	Connect int    `json:"connect,omitempty"`
	Address string `json:"address,omitempty"`

	Fill    *Fill    `json:"fill,omitempty"`
	Adopt   *Place   `json:"adopt,omitempty"`
	Run     *Run     `json:"run,omitempty"`
	Check   bool     `json:"check,omitempty"`
	Summary []string `json:"summary,omitempty"` // names of scenarios
}

// Fill fills a new Lockbox.
type Fill struct {
	Size Size   `json:"size"`
	Key  string `json:"key"`
}

// Run is an order to run a scenario for the given time.
type Run struct {
	Scenario string        `json:"scenario"`
	For      time.Duration `json:"for"`
	// Warm excludes the run from the summary.
	Warm bool `json:"warm,omitempty"`
}

// Slice is the result of a Run.
type Slice struct {
	Requests int     `json:"requests"`
	Failures int     `json:"failures"`
	Seconds  float64 `json:"seconds"`
	// Wrong describes the first few failures.
	Wrong []string `json:"wrong,omitempty"`
}

// Rate returns the answered requests per second.
func (s Slice) Rate() float64 { return float64(s.Requests) / s.Seconds }

// Times holds percentiles of the response times over all slices of a scenario, in milliseconds.
type Times struct {
	P50  float64 `json:"p50_ms"`
	P99  float64 `json:"p99_ms"`
	P999 float64 `json:"p999_ms"`
}

// Reply is a Driver's answer to an Order.
type Reply struct {
	Error string `json:"error,omitempty"`
	Place *Place `json:"place,omitempty"`
	Slice *Slice `json:"slice,omitempty"`
	// Reads is the number of reads that returned a value. It is set only in the reply to a Check.
	Reads uint64           `json:"reads,omitempty"`
	Times map[string]Times `json:"times,omitempty"`
}

// Driver sends the load. It holds the connections and the expected state of the Lockbox.
type Driver struct {
	workers []*worker
	world   *world
	times   map[string][]uint32 // microseconds
	last    time.Time           // end of the last run
}

// idle is the time after which an unused connection is not reused. It is shorter than the time after which the server
// closes an unused connection.
const idle = 30 * time.Second

// Serve executes orders one at a time and answers each. It returns nil at the end of the input.
func Serve(in io.Reader, out io.Writer) error {
	d := &Driver{times: make(map[string][]uint32)}
	orders, replies := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var order Order
		if err := orders.Decode(&order); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		reply, err := d.carryOut(order)
		if err != nil {
			reply.Error = err.Error()
		}
		if err := replies.Encode(reply); err != nil {
			return err
		}
	}
}

func (d *Driver) carryOut(order Order) (Reply, error) {
	if order.Address != "" {
		d.connect(order.Connect, order.Address)
	}
	switch {
	case order.Fill != nil:
		if err := d.fill(order.Fill.Size, order.Fill.Key); err != nil {
			return Reply{}, err
		}
		return Reply{Place: &d.world.Place}, nil
	case order.Adopt != nil:
		d.world = newWorld(*order.Adopt)
		return Reply{}, nil
	case order.Run != nil:
		slice, err := d.run(*order.Run)
		return Reply{Slice: &slice}, err
	case order.Check:
		err := d.check()
		return Reply{Reads: d.world.reads.Load()}, err
	case order.Summary != nil:
		times := make(map[string]Times)
		for _, name := range order.Summary {
			times[name] = timesOf(d.times[name])
		}
		return Reply{Times: times}, nil
	default:
		return Reply{}, nil
	}
}

// connect closes all connections. Workers open new connections when they need them.
func (d *Driver) connect(count int, address string) {
	for _, w := range d.workers {
		w.conn.close()
	}
	if count == 0 {
		count = len(d.workers)
	}
	d.workers = d.workers[:0]
	for i := range count {
		d.workers = append(d.workers, &worker{
			conn:   conn{address: address},
			number: i,
			of:     count,
			random: rand.New(rand.NewPCG(1, uint64(i))),
		})
	}
}

// each calls the function work once for every number from 0 to count-1. It divides the calls among the given number of
// workers.
func (d *Driver) each(workers, count int, work func(w *worker, i int) error) error {
	var next atomic.Int64
	var group sync.WaitGroup
	failed := make([]error, len(d.workers))
	for n, w := range d.workers[:min(workers, len(d.workers))] {
		w.world = d.world
		group.Go(func() {
			for i := next.Add(1) - 1; i < int64(count) && failed[n] == nil; i = next.Add(1) - 1 {
				failed[n] = work(w, int(i))
			}
		})
	}
	group.Wait()
	return errors.Join(failed...)
}

// maxWrong is the maximum number of error messages in a Slice. The Slice still counts all failures.
const maxWrong = 3

func (d *Driver) run(order Run) (Slice, error) {
	act, known := scenarios[order.Scenario]
	if !known || d.world == nil {
		return Slice{}, fmt.Errorf("the scenario %q is unknown, or no server has been filled with entries",
			order.Scenario)
	}
	if time.Since(d.last) > idle {
		for _, w := range d.workers {
			w.conn.close()
		}
	}
	defer func() { d.last = time.Now() }()
	var slice Slice
	var mu sync.Mutex
	var group sync.WaitGroup
	workers := d.workers
	if order.Scenario == Alone {
		workers = workers[:1]
	}
	begin := time.Now()
	for _, w := range workers {
		w.world = d.world
		group.Go(func() {
			taken, wrong, failures := w.repeat(act, begin.Add(order.For))
			mu.Lock()
			defer mu.Unlock()
			slice.Requests, slice.Failures = slice.Requests+len(taken), slice.Failures+failures
			slice.Wrong = append(slice.Wrong, wrong...)
			if !order.Warm {
				d.times[order.Scenario] = append(d.times[order.Scenario], taken...)
			}
		})
	}
	group.Wait()
	slice.Seconds = time.Since(begin).Seconds()
	if err := d.world.checkVersions(); err != nil {
		slice.Failures++
		slice.Wrong = append(slice.Wrong, err.Error())
	}
	slice.Wrong = slice.Wrong[:min(len(slice.Wrong), maxWrong)]
	return slice, nil
}

// repeat sends requests until the deadline. The result named taken contains the duration of each successful request in
// microseconds.
func (w *worker) repeat(act func(*worker) error, until time.Time) (taken []uint32, wrong []string, failures int) {
	for begin := time.Now(); begin.Before(until); {
		err := act(w)
		end := time.Now()
		if err != nil {
			if failures++; len(wrong) < maxWrong {
				wrong = append(wrong, err.Error())
			}
		} else {
			taken = append(taken, uint32(end.Sub(begin).Microseconds()))
		}
		begin = end
	}
	return taken, wrong, failures
}

// Scenarios returns the names of all scenarios.
func Scenarios() []string { return slices.Sorted(maps.Keys(scenarios)) }

func timesOf(taken []uint32) Times {
	if len(taken) == 0 {
		return Times{}
	}
	slices.Sort(taken)
	at := func(share float64) float64 { return float64(taken[int(share*float64(len(taken)-1))]) / 1000 }
	return Times{P50: at(.5), P99: at(.99), P999: at(.999)}
}
