package httpapi

import (
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
)

// TestAwaitIgnoredBody covers every route that accepts a token and whose handler does not always read the body. A body
// that is cut off, stalls or is reset must cause an error before the handler acts. If the request announces no body,
// nothing is read.
func TestAwaitIgnoredBody(t *testing.T) {
	t.Parallel()
	api := New(Config{Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(), MaxBodyBytes: 1024})
	newRequest := func(route Route, body io.Reader, size int64) *request {
		from := httptest.NewRequestWithContext(t.Context(), route.Method, "/", body)
		from.ContentLength = size
		r := api.newRequest(echo.New().NewContext(from, httptest.NewRecorder()), route)
		r.body.limit = 1024
		return r
	}
	for _, route := range Routes() {
		if route.Auth == AuthNone || !route.ignoresBody {
			continue
		}
		for cause, want := range map[error]string{
			io.ErrUnexpectedEOF:    "body_unreadable",
			os.ErrDeadlineExceeded: "body_unreadable",
			syscall.ECONNRESET:     errClientClosed.Code,
		} {
			for _, size := range []int64{90, 2000, 1 << 20, -1} {
				body := io.MultiReader(strings.NewReader(`{"a"`), iotest.ErrReader(cause))
				err := newRequest(route, body, size).awaitIgnoredBody()
				require.Equal(t, want, domain.CodeOf(err), "%s %s, %d: %v", route.Method, route.Path, size, cause)
			}
		}
		unread := iotest.ErrReader(io.ErrUnexpectedEOF)
		require.NoError(t, newRequest(route, unread, 0).awaitIgnoredBody())
		for _, size := range []int{1, 1024, 1025, 1 << 20} {
			r := newRequest(route, strings.NewReader(strings.Repeat(" ", size)), -1)
			require.NoError(t, r.awaitIgnoredBody())
			text, err := r.readBody() // a handler may still decode the body
			if size > 1024 {
				require.ErrorIs(t, err, errBodyTooLarge)
			} else {
				require.NoError(t, err)
				require.Len(t, text, size)
			}
		}
	}
}
