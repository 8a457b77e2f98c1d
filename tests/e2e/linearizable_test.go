//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
)

const (
	// linearTime is the duration of the run.
	linearTime = time.Minute
	// linearClients is the number of clients that send requests concurrently. linearKeys is the number of entries that
	// they use.
	linearClients, linearKeys = 8, 6
	// effectTime is longer than the timeouts of all statements and commits. A request without a response may still
	// change an entry, but not after this time.
	effectTime = 30 * time.Second
)

// history records calls and answers, each with its time. All times come from one monotonic clock. A history is safe for
// concurrent use.
type history struct {
	began time.Time
	mu    sync.Mutex
	list  []porcupine.Operation
	tally map[string]int
}

// The now method returns the time since the beginning of the history, in nanoseconds.
func (h *history) now() int64 { return time.Since(h.began).Nanoseconds() }

// The add method appends an operation to the history. It must be called when the answer arrives. The argument "called"
// is the time at which the client sent the request.
func (h *history) add(client int, called int64, call entryCall, answer entryAnswer) {
	returned := h.now()
	if answer.status == 0 {
		returned = called + effectTime.Nanoseconds()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tally[fmt.Sprint(call.verb, " ", answer.status)]++
	// The history must not contain overlapping calls of one client. A call without an answer lasts until effectTime has
	// passed, so it gets its own client number.
	if answer.status == 0 {
		client = linearClients + len(h.list)
	}
	h.list = append(h.list, porcupine.Operation{
		ClientId: client,
		Input:    call,
		Call:     called,
		Output:   answer,
		Return:   returned,
	})
}

// errNotSent means that the client could not connect, so the request had no effect.
var errNotSent = errors.New("the request was not sent")

// send sends a call to a server. Status 0 means that the outcome is unknown.
func (call entryCall) send(ctx context.Context, http1 *http.Client, url, token string) (entryAnswer, error) {
	method, path, body := "GET", url+"/boxes/default/entries/"+call.key, ""
	switch call.verb {
	case "delete":
		method = "DELETE"
	case "write":
		method, path = "POST", url+"/boxes/default/entries"
		body = `{"key":"` + call.key + `","value":` + call.value + `}`
	}
	request, err := http.NewRequestWithContext(ctx, method, path, strings.NewReader(body))
	if err != nil {
		return entryAnswer{}, err
	}
	request.GetBody = nil // the client must not send a change twice
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("X-Encryption-Key", generatedKey)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if call.ifMatch > 0 {
		request.Header.Set("If-Match", strconv.Quote(strconv.Itoa(call.ifMatch)))
	}
	if call.ifNew {
		request.Header.Set("If-None-Match", "*")
	}
	got, err := http1.Do(request)
	if dial, ok := errors.AsType[*net.OpError](err); ok && dial.Op == "dial" {
		return entryAnswer{}, errNotSent
	}
	if err != nil {
		return entryAnswer{}, nil //nolint:nilerr // the outcome is unknown
	}
	defer func() { _ = got.Body.Close() }()
	content, err := io.ReadAll(got.Body)
	if err != nil || got.StatusCode >= 500 {
		return entryAnswer{}, nil //nolint:nilerr // as above
	}
	version, _ := strconv.Atoi(strings.Trim(got.Header.Get("ETag"), `"`))
	answer := entryAnswer{status: got.StatusCode, version: version}
	if call.verb == "read" && got.StatusCode == 200 {
		answer.value = string(content)
	}
	return answer, nil
}

// replicas are two servers with one database. After a restart, a server has the same address as before.
type replicas struct {
	t        *testing.T
	database string
	urls     [2]string
	programs [2]*program
	kills    [2]int
}

// restart kills a replica and starts it again with the same address.
func (r *replicas) restart(i int) {
	r.programs[i].kill()
	r.kills[i]++
	r.programs[i] = serveLater(r.t, r.database, "HTTP_ADDR="+strings.TrimPrefix(r.urls[i], "http://"))
	r.programs[i].url = r.urls[i]
	r.programs[i].awaitReady(time.Minute)
}

// choose returns a random call. The third argument is the version number in the client's last answer for this key.
func choose(random *rand.Rand, key string, seen int, unique int64) entryCall {
	call := entryCall{verb: "read", key: key}
	switch n := random.IntN(20); {
	case n < 8:
	case n < 10:
		call.verb = "delete"
		if n == 9 {
			call.ifMatch = seen
		}
	default:
		call.verb, call.value = "write", strconv.FormatInt(unique, 10)
		switch {
		case n < 13:
			call.ifMatch = seen
		case n < 15:
			call.ifNew = true
		}
	}
	return call
}

// TestEntriesAreLinearizable lets clients read, write and delete a few entries through two replicas. Meanwhile, the
// test kills and restarts the replicas in turn. The answers must be possible for a single server that handles one
// request at a time.
func TestEntriesAreLinearizable(t *testing.T) {
	t.Parallel()
	r := &replicas{t: t, database: startKillable(t).url()}
	for i := range r.programs {
		r.programs[i] = serve(t, r.database)
		r.urls[i] = r.programs[i].url
	}
	root := r.programs[0].initialize()
	root.do("POST", "/boxes/default", nil).expect(201)
	h := &history{began: time.Now(), tally: map[string]int{}}
	ctx, stop := context.WithTimeout(t.Context(), linearTime)
	defer stop()
	var unique atomic.Int64
	var clients sync.WaitGroup
	for client := range linearClients {
		clients.Go(func() { r.call(ctx, h, client, root.token, &unique) })
	}
	for i := 0; ; i = 1 - i {
		select {
		case <-time.After(2*time.Second + time.Duration(rand.IntN(2000))*time.Millisecond):
			r.restart(i)
			continue
		case <-ctx.Done():
		}
		break
	}
	clients.Wait()
	t.Logf("%d operations, kills %v: %v", len(h.list), r.kills, h.tally)
	require.Positive(t, r.kills[0])
	require.Positive(t, r.kills[1])
	for _, kind := range []string{"read 200", "write 201", "delete 204", "write 412"} {
		require.Positive(t, h.tally[kind], kind)
	}
	require.Equal(t, porcupine.Ok, porcupine.CheckOperationsTimeout(entryModel, h.list, 3*time.Minute),
		"Illegal means that an answer was wrong; Unknown that the check took too long")
}

// call sends random calls to random replicas until ctx ends.
func (r *replicas) call(ctx context.Context, h *history, client int, token string, unique *atomic.Int64) {
	random := rand.New(rand.NewPCG(uint64(client), 13))
	http1 := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2}, Timeout: 20 * time.Second}
	defer http1.CloseIdleConnections()
	seen := map[string]int{}
	for ctx.Err() == nil {
		key := "e" + strconv.Itoa(random.IntN(linearKeys))
		call := choose(random, key, seen[key], unique.Add(1))
		called := h.now()
		// The end of ctx must not abort the request, because the outcome of the request would then be unknown.
		answer, err := call.send(context.WithoutCancel(ctx), http1, r.urls[random.IntN(2)], token)
		if err != nil {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		if answer.version > 0 {
			seen[key] = answer.version
		}
		// A read without an answer says nothing about the entry, so it is not recorded.
		if answer.status != 0 || call.verb != "read" {
			h.add(client, called, call, answer)
		}
		time.Sleep(time.Duration(random.IntN(8)) * time.Millisecond)
	}
}
