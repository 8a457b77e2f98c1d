package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

const (
	// requestLimit is the client's timeout. It is longer than every timeout of the server, so the client always waits
	// long enough for the server's response.
	requestLimit = 60 * time.Second
	// maxWaiting is the maximum number of requests of one stream that wait for a response at the same time.
	maxWaiting = 40
)

// encryptionKey protects no real data.
var encryptionKey = domain.FormatGeneratedKey([32]byte{1, 2, 3})

// load writes and reads entries through the servers until it is stopped. New requests begin at fixed intervals, even if
// earlier requests have no response yet. A single request that hangs therefore does not look like an outage of the
// server.
type load struct {
	client  *http.Client
	streams []*stream
	group   sync.WaitGroup
	cancel  context.CancelFunc
}

// stream sends the requests of one user, who has one entry. The stream writes the entry through one server and reads it
// through all servers in turn.
type stream struct {
	account account
	servers []*lockbox
	home    *lockbox // receives the writes
	client  *http.Client

	attempts atomic.Int64
	waiting  atomic.Int64
	// highest is the highest acknowledged version. A read that begins after the acknowledgement must return at least
	// this version.
	highest atomic.Int64

	mu       sync.Mutex
	writes   []answered
	reads    []answered
	stale    []answered
	refusals map[string]int
}

// An answered value is a request with its response. The field version contains the entry's version. The field attempt
// contains the number of the attempt that wrote this version.
type answered struct {
	id         string
	server     *lockbox
	begun, end time.Time
	version    int64
	attempt    int64
	ok         bool
	// atLeast is the highest version that was acknowledged before a read began. The read must not return an older
	// version.
	atLeast int64
}

// value is the JSON value that write stores in an entry.
type value struct {
	Attempt int64 `json:"attempt"`
}

// startLoad starts the load. In every interval, each account sends one write and one read.
func startLoad(ctx context.Context, servers []*lockbox, accounts []account, interval time.Duration) *load {
	l := &load{client: &http.Client{
		Timeout:   requestLimit,
		Transport: &http.Transport{MaxIdleConnsPerHost: 100},
	}}
	ctx, l.cancel = context.WithCancel(ctx)
	for i, each := range accounts {
		s := &stream{
			account:  each,
			servers:  servers,
			home:     servers[i%len(servers)],
			client:   l.client,
			refusals: make(map[string]int),
		}
		l.streams = append(l.streams, s)
		l.group.Go(func() { s.run(ctx, interval) })
	}
	return l
}

// stop ends the load. It returns after all running requests have ended.
func (l *load) stop() {
	l.cancel()
	l.group.Wait()
	l.client.CloseIdleConnections()
}

// run starts requests until the context ends. It then waits until all requests have ended.
func (s *stream) run(ctx context.Context, interval time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	var group sync.WaitGroup
	defer group.Wait()
	for turn := 0; ; turn++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if s.waiting.Load() >= maxWaiting {
			s.refuse("the request was not sent, because too many requests were waiting")
			continue
		}
		s.waiting.Add(2)
		group.Go(func() { defer s.waiting.Add(-1); s.write(s.attempts.Add(1)) })
		group.Go(func() { defer s.waiting.Add(-1); s.read(s.servers[turn%len(s.servers)], turn) })
	}
}

// write writes a new version of the entry. The value of the version contains the number of the attempt.
func (s *stream) write(attempt int64) {
	a := answered{
		id:      fmt.Sprintf("w-%s-%d", s.account.name, attempt),
		server:  s.home,
		attempt: attempt,
	}
	body := fmt.Sprintf(`{"key":"k","value":{"attempt":%d}}`, attempt)
	header, _ := s.send(&a, http.MethodPost, "/boxes/"+s.account.name+"/entries", body, http.StatusCreated)
	if a.ok {
		a.version = versionOf(header)
		raise(&s.highest, a.version)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes = append(s.writes, a)
}

// read reads the entry and compares its version with the highest version that was acknowledged before.
func (s *stream) read(server *lockbox, turn int) {
	a := answered{
		id:      fmt.Sprintf("r-%s-%d", s.account.name, turn),
		server:  server,
		atLeast: s.highest.Load(),
	}
	if a.atLeast == 0 {
		return // there is no entry yet
	}
	header, body := s.send(&a, http.MethodGet, "/boxes/"+s.account.name+"/entries/k", "", http.StatusOK)
	if a.ok {
		a.version = versionOf(header)
		var read value
		_ = json.Unmarshal([]byte(body), &read)
		a.attempt = read.Attempt
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads = append(s.reads, a)
	if a.ok && a.version < a.atLeast {
		s.stale = append(s.stale, a)
	}
}

// send sends a request. It stores the start time and the end time of the request in the argument a. It sets a.ok to
// true if the response has the status want.
func (s *stream) send(a *answered, method, path, body string, want int) (http.Header, string) {
	a.begun = time.Now()
	status, header, text, err := exchangeWith(context.Background(), s.client, method, a.server.url+path, body,
		map[string]string{
			"Authorization":    "Bearer " + s.account.token,
			"X-Encryption-Key": encryptionKey,
			"X-Request-Id":     a.id,
		})
	a.end = time.Now()
	a.ok = err == nil && status == want
	switch {
	case a.ok:
	case err != nil:
		s.refuse(fmt.Sprintf("%s: no response", method))
	default:
		var problem struct {
			Code string `json:"code"`
		}
		_ = json.Unmarshal([]byte(text), &problem)
		s.refuse(fmt.Sprintf("%s: %d %s", method, status, problem.Code))
	}
	return header, text
}

// The method refuse counts a failed request. Each reason has its own counter.
func (s *stream) refuse(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusals[reason]++
}

// versionOf returns the version in an entity tag, or 0.
func versionOf(header http.Header) int64 {
	version, _ := strconv.ParseInt(strings.Trim(header.Get("Etag"), `"`), 10, 64)
	return version
}

// raise increases a number to the given value, unless the number is already larger.
func raise(number *atomic.Int64, to int64) {
	for {
		now := number.Load()
		if now >= to || number.CompareAndSwap(now, to) {
			return
		}
	}
}

// acknowledged returns the times at which a server acknowledged writes, in ascending order. It returns only times
// between from and to.
func (l *load) acknowledged(server *lockbox, from, to time.Time) []time.Time {
	var ends []time.Time
	for _, s := range l.streams {
		s.mu.Lock()
		for _, w := range s.writes {
			if w.ok && w.server == server && w.end.After(from) && w.end.Before(to) {
				ends = append(ends, w.end)
			}
		}
		s.mu.Unlock()
	}
	return sorted(ends)
}
