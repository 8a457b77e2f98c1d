package e2e

import (
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	wire "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/lockbox-go/lockbox/adapters/httpapi"
)

// collector is a server that receives traces in the OTLP format over HTTP. It stores the received bytes and spans.
type collector struct {
	t     testing.TB
	url   string
	mu    sync.Mutex // guards the fields below
	raw   strings.Builder
	spans []*wire.Span
}

// startCollector starts a collector on loopback.
func startCollector(t testing.TB) *collector {
	t.Helper()
	c := &collector{t: t}
	server := httptest.NewServer(http.HandlerFunc(c.receive))
	t.Cleanup(server.Close)
	c.url = server.URL + "/v1/traces"
	return c
}

func (c *collector) receive(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var export wire.TracesData
	if err == nil {
		err = proto.Unmarshal(body, &export)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
		c.t.Errorf("%s %s: %v", r.URL.Path, r.Header.Get("Content-Type"), err)
		return
	}
	c.raw.Write(body)
	for _, resource := range export.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			c.spans = append(c.spans, scope.Spans...)
		}
	}
}

// named returns the received spans that have the given name.
func (c *collector) named(name string) (spans []*wire.Span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, span := range c.spans {
		if span.Name == name {
			spans = append(spans, span)
		}
	}
	return spans
}

// attributes returns the attributes of a span as text.
func attributes(span *wire.Span) map[string]string {
	texts := make(map[string]string)
	for _, attribute := range span.Attributes {
		value := attribute.Value
		texts[attribute.Key] = value.GetStringValue()
		if texts[attribute.Key] == "" {
			texts[attribute.Key] = fmt.Sprint(value.GetIntValue())
		}
	}
	return texts
}

const (
	callersTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	callersSpan  = "00f067aa0ba902b7"
)

// TestTraces verifies the spans of a read and of a sign-in. If the caller sends a trace id, the spans and the access
// log must contain this id.
func TestTraces(t *testing.T) {
	t.Parallel()
	c := startCollector(t)
	s := start(t, "TRACES_URL="+c.url)
	root := s.initialize()
	root.box("default")
	root.put("default", "entry", `1`).expect(201)
	for _, parent := range []string{"00-" + callersTrace + "-" + callersSpan + "-01", // recorded by the caller
		"00-" + strings.Repeat("a", 32) + "-" + callersSpan + "-00", // not recorded by the caller
		"malformed"} {
		root.get("default", "entry", "traceparent", parent, "tracestate", "vendor=canary").expect(200)
	}
	s.authenticate("root", "root-password").expect(200)
	s.as("").do("GET", "/readyz", nil).expect(200)
	s.stop()

	reads := c.named("GET /boxes/:box/entries/:key")
	require.Len(t, reads, 2, "the caller decides about its own trace")
	var read *wire.Span
	for _, span := range reads {
		if hex.EncodeToString(span.TraceId) == callersTrace {
			read = span
		}
	}
	require.NotNil(t, read)
	require.Equal(t, callersSpan, hex.EncodeToString(read.ParentSpanId))
	require.Equal(t, wire.Span_SPAN_KIND_SERVER, read.Kind)
	require.Equal(t, map[string]string{"http.request.method": "GET", "http.route": "/boxes/:box/entries/:key",
		"http.response.status_code": "200"}, attributes(read))
	require.Empty(t, read.TraceState)
	for _, name := range []string{"lookup batch", "event batch"} {
		child := childOf(c.named(name), read)
		require.NotNil(t, child, name)
		require.Equal(t, map[string]string{"lockbox.batch.requests": "1"}, attributes(child))
	}
	require.Contains(t, s.log.String(), `"trace_id":"`+callersTrace+`"`)

	signIns := c.named("POST /authenticate")
	require.Len(t, signIns, 1)
	derivation := childOf(c.named("key derivation"), signIns[0])
	require.NotNil(t, derivation)
	require.Equal(t, map[string]string{"lockbox.kdf.workload": "passwords", "lockbox.kdf.memory_kib": "64",
		"lockbox.kdf.passes": "1"}, attributes(derivation))
	require.Len(t, derivation.Events, 1)
	require.Empty(t, c.named("GET /readyz"))
}

// childOf returns the span whose parent is the given span, or nil.
func childOf(spans []*wire.Span, parent *wire.Span) *wire.Span {
	for _, span := range spans {
		if string(span.ParentSpanId) == string(parent.SpanId) && string(span.TraceId) == string(parent.TraceId) {
			return span
		}
	}
	return nil
}

// TestTracesLinkBatches covers a batch that several requests share. The span of the batch must have links to the spans
// of these requests, and each of these spans must have a link to the span of the batch.
func TestTracesLinkBatches(t *testing.T) {
	t.Parallel()
	c := startCollector(t)
	s := start(t, "TRACES_URL="+c.url)
	root := s.initialize()
	root.box("default")
	root.put("default", "entry", `1`).expect(201)
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			for range 20 {
				if got := root.get("default", "entry"); got.Status != 200 {
					t.Errorf("%s: %d", got.request, got.Status)
				}
			}
		})
	}
	group.Wait()
	s.stop()

	requests := make(map[string]*wire.Span)
	for _, span := range c.named("GET /boxes/:box/entries/:key") {
		requests[string(span.SpanId)] = span
	}
	require.Len(t, requests, 320)
	shared := 0
	for _, batch := range c.named("event batch") {
		for _, link := range batch.Links {
			shared++
			request := requests[string(link.SpanId)]
			require.NotNil(t, request)
			require.True(t, linksTo(request, batch), "both directions")
		}
		require.Equal(t, fmt.Sprint(len(batch.Links)+1), attributes(batch)["lockbox.batch.requests"])
	}
	require.Positive(t, shared, "320 reads of 16 clients share no batch")
}

func linksTo(span, target *wire.Span) bool {
	for _, link := range span.Links {
		if string(link.SpanId) == string(target.SpanId) {
			return true
		}
	}
	return false
}

// requireOnlyKnown verifies that the spans contain no text from a client. Every attribute must have a known name. Every
// text must be a route or one of a few known words.
func (c *collector) requireOnlyKnown() {
	c.t.Helper()
	known := map[string]bool{"(none)": true, "passwords": true, "entries": true, "OTHER": true}
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		known[method] = true
	}
	names := map[string]bool{"lookup batch": true, "write batch": true, "event batch": true, "key derivation": true}
	for _, route := range httpapi.Routes() {
		known[route.Path] = true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	require.NotEmpty(c.t, c.spans)
	for _, span := range c.spans {
		method, route, isRequest := strings.Cut(span.Name, " ")
		require.True(c.t, names[span.Name] || isRequest && known[method] && known[route], span.Name)
		require.Empty(c.t, span.TraceState)
		require.Empty(c.t, span.Status.GetMessage())
		for _, attribute := range span.Attributes {
			require.Contains(c.t, []string{"http.request.method", "http.route", "http.response.status_code",
				"lockbox.batch.requests", "lockbox.kdf.workload", "lockbox.kdf.memory_kib", "lockbox.kdf.passes"},
				attribute.Key)
			if text := attribute.Value.GetStringValue(); text != "" {
				require.True(c.t, known[text], "%s is %s", attribute.Key, text)
			}
		}
		for _, event := range span.Events {
			require.Equal(c.t, "started", event.Name)
			require.Empty(c.t, event.Attributes)
		}
	}
}

// TestTracesDoNotAffectRequests runs a server with collectors that fail in different ways. Requests must succeed, and
// the server must stop within its usual time limit.
func TestTracesDoNotAffectRequests(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}))
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
	}))
	t.Cleanup(func() {
		close(hang)
		hanging.Close()
		refusing.Close()
	})
	for name, url := range map[string]string{"hangs": hanging.URL, "refuses": refusing.URL,
		"is absent": "http://127.0.0.1:1/v1/traces"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, "TRACES_URL="+url)
			root := s.initialize()
			root.box("default")
			for i := range 20 {
				root.put("default", "entry", fmt.Sprint(i)).expect(201)
			}
			begin := time.Now()
			s.stop()
			require.Less(t, time.Since(begin), 20*time.Second)
			if name == "refuses" {
				require.Equal(t, 1, strings.Count(s.log.String(), "sending traces failed"))
			}
		})
	}
}
