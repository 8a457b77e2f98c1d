package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"

	"github.com/jackc/pgx/v5"
)

// verifiers is the number of goroutines that read versions at the end of a run.
const verifiers = 16

// verdict counts the violations of a run.
type verdict struct {
	Acknowledged int `json:"acknowledged_writes"`
	Reads        int `json:"acknowledged_reads"`
	Versions     int `json:"stored_versions"`
	// Lost counts acknowledged writes whose value is not stored under the acknowledged version.
	Lost int `json:"lost"`
	// Doubled counts values that are stored under more than one version.
	Doubled int `json:"doubled"`
	// Stale counts reads that returned an old version, although a newer version was acknowledged before the read began.
	// StaleUnfenced counts the stale reads that began while a fault left a deposed primary running. Such a primary may
	// have answered the read.
	Stale         int `json:"stale"`
	StaleUnfenced int `json:"stale_in_unfenced_splits"`
	// Unaudited counts acknowledged requests without an audit event.
	Unaudited int      `json:"unaudited"`
	Examples  []string `json:"examples,omitempty"`
}

// blame counts a violation. It stores the descriptions of the first 20 violations.
func (v *verdict) blame(counter *int, format string, args ...any) {
	*counter++
	if len(v.Examples) < 20 {
		v.Examples = append(v.Examples, fmt.Sprintf(format, args...))
	}
}

// verify compares the responses of the load with the content of the database. The load must have stopped.
func verify(ctx context.Context, l *load, databaseURL string, results []result) (*verdict, error) {
	v := &verdict{}
	for _, s := range l.streams {
		stored, err := s.storedAttempts(ctx)
		if err != nil {
			return nil, err
		}
		v.checkWrites(s, stored)
		v.checkReads(s, results)
	}
	audited, err := auditedRequests(ctx, databaseURL)
	if err != nil {
		return nil, err
	}
	for _, s := range l.streams {
		for _, each := range append(s.writes[:len(s.writes):len(s.writes)], s.reads...) {
			if each.ok && !audited[each.id] {
				v.blame(&v.Unaudited, "no audit event of %s", each.id)
			}
		}
	}
	return v, nil
}

// checkWrites counts lost and doubled writes. The argument stored contains the attempt that is stored in each version.
func (v *verdict) checkWrites(s *stream, stored map[int64]int64) {
	v.Versions += len(stored)
	for _, w := range s.writes {
		if !w.ok {
			continue
		}
		v.Acknowledged++
		if stored[w.version] != w.attempt {
			v.blame(&v.Lost, "%s was acknowledged as version %d, but this version contains attempt %d", w.id, w.version,
				stored[w.version])
		}
	}
	versions := make(map[int64]int64, len(stored))
	for version, attempt := range stored {
		if other, twice := versions[attempt]; twice {
			v.blame(&v.Doubled, "attempt %d of %s is stored as version %d and as version %d", attempt,
				s.account.name, other, version)
		}
		versions[attempt] = version
	}
}

// checkReads counts stale reads.
func (v *verdict) checkReads(s *stream, results []result) {
	for _, r := range s.reads {
		if r.ok {
			v.Reads++
		}
	}
	for _, r := range s.stale {
		during := faultAt(results, r.begun)
		if during != nil && during.unfenced {
			v.StaleUnfenced++
		}
		name := "no fault"
		if during != nil {
			name = during.Fault
		}
		v.blame(&v.Stale, "%s through %s during %q returned version %d, but version %d had been acknowledged", r.id,
			r.server.name, name, r.version, r.atLeast)
	}
}

// storedAttempts reads all versions of the entry over HTTP and returns the attempt of each.
func (s *stream) storedAttempts(ctx context.Context) (map[int64]int64, error) {
	header := map[string]string{
		"Authorization":    "Bearer " + s.account.token,
		"X-Encryption-Key": encryptionKey,
	}
	address := s.home.url + "/boxes/" + s.account.name + "/entries/k"
	status, _, body, err := exchangeWith(ctx, s.client, http.MethodGet, address+"/versions", "", header)
	if err != nil || status != http.StatusOK {
		return nil, fmt.Errorf("list the versions of %s: status %d: %w", s.account.name, status, err)
	}
	var versions []struct {
		Version int64 `json:"version"`
	}
	if err := json.Unmarshal([]byte(body), &versions); err != nil {
		return nil, err
	}
	var (
		mu     sync.Mutex
		group  sync.WaitGroup
		failed error
		stored = make(map[int64]int64, len(versions))
		queue  = make(chan int64)
	)
	for range verifiers {
		group.Go(func() {
			for version := range queue {
				attempt, err := s.attemptOf(ctx, address, version, header)
				mu.Lock()
				if err != nil {
					failed = err
				}
				stored[version] = attempt
				mu.Unlock()
			}
		})
	}
	for _, each := range versions {
		queue <- each.Version
	}
	close(queue)
	group.Wait()
	return stored, failed
}

// attemptOf reads one version.
func (s *stream) attemptOf(ctx context.Context, address string, version int64,
	header map[string]string) (int64, error) {
	status, _, body, err := exchangeWith(ctx, s.client, http.MethodGet, fmt.Sprintf("%s?version=%d", address, version),
		"", header)
	if err != nil || status != http.StatusOK {
		return 0, fmt.Errorf("read version %d of %s: status %d: %s: %w", version, s.account.name, status, body, err)
	}
	var read value
	err = json.Unmarshal([]byte(body), &read)
	return read.Attempt, err
}

// auditedRequests returns the request IDs in the audit events of successful reads and writes.
func auditedRequests(ctx context.Context, databaseURL string) (map[string]bool, error) {
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(ctx) }()
	rows, err := conn.Query(ctx, `SELECT request_id FROM events
		WHERE action IN ('entry.read', 'entry.write') AND outcome = 'success'`)
	if err != nil {
		return nil, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	audited := make(map[string]bool, len(ids))
	for _, id := range ids {
		audited[id] = true
	}
	return audited, err
}
