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
	// requestTime is how long the server may work on a request. The time in which the body arrives does not count.
	// After this time, the response may take six more seconds: three for a commit that has begun, two to close a
	// database connection that does not react to a cancellation, and one for delays of a busy machine. The server thus
	// answers a request within 20 seconds.
	requestTime = 14 * time.Second
	// slowRequestTime replaces requestTime for routes that delete or rewrite all rows of a box or a user, and for
	// routes that wait for the droplet host. slowRequestTime is shorter than writeTimeout, so that time remains for the
	// response.
	slowRequestTime = 52 * time.Second
	// bodyTime is the longest time in which a request body may arrive. The HTTP server stops reading after this time.
	bodyTime = 30 * time.Second
)

// errRequestTime is the cause that context.Cause returns after a request has reached its deadline.
var errRequestTime = domain.Refuse(domain.Unavailable, codeOutcomeUnknown,
	"the request took too long: check whether it took effect before you retry")

// requestContext is the context of one request. It ends at the deadline, or earlier if the client disconnects. timedOut
// distinguishes the two cases. Only the goroutine of the request may move the deadline. All other methods are safe for
// concurrent use.
type requestContext struct {
	context.Context // ends with the cause errRequestTime at the deadline
	began           time.Time
	timer           *time.Timer
	// The field limit is the time from began to the deadline, in nanoseconds.
	limit atomic.Int64
	// work is how long the server may work on the request. Only the goroutine of the request uses this field.
	work time.Duration
}

// requestContextKey is the context key of the requestContext.
type requestContextKey struct{}

// withDeadline returns a context that ends after limit, or earlier if parent ends. The caller must call cancel when the
// request has been answered.
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

// Deadline returns the current deadline. Storage calls it to limit the duration of a commit.
func (c *requestContext) Deadline() (time.Time, bool) {
	return c.began.Add(time.Duration(c.limit.Load())), true
}

// Value returns c itself for a requestContextKey. For other keys, it returns the value in the wrapped context.
func (c *requestContext) Value(key any) any {
	if key == (requestContextKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// extend moves the deadline to the current time plus limit.
func (c *requestContext) extend(limit time.Duration) {
	c.limit.Store(int64(time.Since(c.began) + limit))
	c.timer.Reset(limit)
}

// allowTime moves the deadline of a request to the current time plus limit. It has no effect on a context without a
// requestContext. Only tests that call a handler or a helper directly use such a context.
func allowTime(ctx context.Context, limit time.Duration) {
	if c, ok := ctx.Value(requestContextKey{}).(*requestContext); ok {
		c.work = limit
		c.extend(limit)
	}
}

// excludeBody moves the deadline of a request to allow additional time in which the body may arrive. The caller calls
// done when the body has arrived. From then on, the server may work on the request for its full time.
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

// endedByDeadline reports whether the deadline of the request caused err. It returns false for an error of kind
// Unavailable, which storage returns when a statement is cancelled. The client should get that error, because it is
// more exact than the one from timeoutRefusal.
func endedByDeadline(ctx context.Context, err error) bool {
	return timedOut(ctx) && !errors.Is(err, domain.Unavailable) &&
		(errors.Is(err, context.Canceled) || domain.CodeOf(err) == codeClientClosed)
}

// timeoutRefusal returns the error for a request for which endedByDeadline is true. A GET or HEAD changes no data, so
// the client may simply retry. For other methods, the outcome is unknown.
func timeoutRefusal(method string) *domain.Error {
	if method == http.MethodGet || method == http.MethodHead {
		return domain.ErrBusy.Because(errRequestTime)
	}
	return errRequestTime
}
