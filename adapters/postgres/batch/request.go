package batch

import "context"

// Request is one request in a batch. Only the goroutine that runs the batch may call its methods.
type Request[In, Out any] struct {
	// Input is the argument of Batcher.Do.
	Input In

	ctx       context.Context
	output    Out
	err       error
	completed bool
	done      chan struct{} // closed by Complete
}

// NewRequest returns a request that belongs to no batcher. The caller passes the request directly to a RunFunc, and
// then reads the outcome from Result.
func NewRequest[In, Out any](ctx context.Context, input In) *Request[In, Out] {
	return &Request[In, Out]{ctx: ctx, Input: input, done: make(chan struct{})}
}

// Complete sets the outcome of the request and wakes its caller. Only the first call has an effect.
func (r *Request[In, Out]) Complete(output Out, err error) {
	if !r.completed {
		r.output, r.err, r.completed = output, err, true
		close(r.done)
	}
}

// Result returns the outcome that Complete has set. Before Complete is called, Result returns zero values.
func (r *Request[In, Out]) Result() (Out, error) { return r.output, r.err }
