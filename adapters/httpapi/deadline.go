package httpapi

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

const (
	// requestTime is how long a request may work, not counting the time in which its body arrives. It leaves five of
	// the 20 seconds in which every request is answered: a commit that has begun may take three more seconds, and a
	// connection to the database that does not react to a cancellation is closed after two.
	requestTime = 15 * time.Second
	// slowRequestTime replaces requestTime for routes that delete or rewrite all rows of a box or a user, and for
	// routes that wait for the droplet host. It leaves time for the response before writeTimeout.
	slowRequestTime = 52 * time.Second
	// bodyTime is the largest time in which a request body may arrive. The HTTP server reads no longer than this.
	bodyTime = 30 * time.Second
)

// errRequestTime is the cause with which the context of a request ends at its deadline.
var errRequestTime = domain.Refuse(domain.Unavailable, codeOutcomeUnknown,
	"the request took too long: check whether it took effect before you retry")

// requestContext is the context of one request. It ends when the client disconnects or at the deadline, whichever is
// first; timedOut tells the two apart. The goroutine of the request may move the deadline. All other methods are safe
// for concurrent use.
type requestContext struct {
	context.Context // ends with the cause errRequestTime at the deadline
	began           time.Time
	timer           *time.Timer
	// limit is the time from began to the deadline.
	limit atomic.Int64
	// work is the time that the request may work; only the goroutine of the request uses it.
	work time.Duration
}

// requestContextKey is the key under which a context returns its requestContext.
type requestContextKey struct{}

// withDeadline returns a context that ends with parent, or after limit. The caller must call cancel when the request
// has been answered.
func withDeadline(parent context.Context, limit time.Duration) (ctx *requestContext, cancel context.CancelFunc) {
	inner, cancelInner := context.WithCancelCause(parent)
	ctx = &requestContext{Context: inner, began: time.Now(), work: limit}
	ctx.limit.Store(int64(limit))
	ctx.timer = time.AfterFunc(limit, func() { cancelInner(errRequestTime) })
	return ctx, func() {
		ctx.timer.Stop()
		cancelInner(nil)
	}
}

// Deadline returns the current deadline. Storage uses it to bound a commit.
func (c *requestContext) Deadline() (time.Time, bool) {
	return c.began.Add(time.Duration(c.limit.Load())), true
}

// Value returns the requestContext itself under its key.
func (c *requestContext) Value(key any) any {
	if key == (requestContextKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// extend moves the deadline to the given time from now.
func (c *requestContext) extend(limit time.Duration) {
	c.limit.Store(int64(time.Since(c.began) + limit))
	c.timer.Reset(limit)
}

// allowTime gives a request the given time from now. It has no effect on a context without a requestContext, which only
// tests of parts of this package use.
func allowTime(ctx context.Context, limit time.Duration) {
	if c, ok := ctx.Value(requestContextKey{}).(*requestContext); ok {
		c.work = limit
		c.extend(limit)
	}
}

// excludeBody excludes the time in which the body arrives from the time of the request. The caller calls done when the
// body has arrived; the request then has its full time.
func excludeBody(ctx context.Context) (done func()) {
	c, ok := ctx.Value(requestContextKey{}).(*requestContext)
	if !ok {
		return func() {}
	}
	c.extend(bodyTime + c.work)
	return func() { c.extend(c.work) }
}

// timedOut reports whether the context of a request ended because of its deadline.
func timedOut(ctx context.Context) bool { return context.Cause(ctx) == errRequestTime } //nolint:errorlint // identity

// endedByDeadline reports whether err only reflects that the context of the request ended at its deadline. Storage
// returns errors of its own, of kind Unavailable, when a statement is cancelled.
func endedByDeadline(ctx context.Context, err error) bool {
	return timedOut(ctx) && !errors.Is(err, domain.Unavailable) &&
		(errors.Is(err, context.Canceled) || domain.CodeOf(err) == codeClientClosed)
}

// timeoutRefusal returns the error of a request that ended at its deadline while it waited for something other than
// the database. A GET has no effect, so its client may simply retry.
func timeoutRefusal(method string) *domain.Error {
	if method == http.MethodGet || method == http.MethodHead {
		return domain.ErrBusy.Because(errRequestTime)
	}
	return errRequestTime
}
