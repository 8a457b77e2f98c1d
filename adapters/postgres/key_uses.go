package postgres

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lockbox-go/lockbox/domain"
)

// keyUses notes when API keys were last used, for people who clean up. The uses of a second are written down together,
// so that a request neither waits for that nor pays for a commit of its own, however many keys there are.
type keyUses struct {
	store   *Store
	mu      sync.Mutex
	pending map[domain.CredentialID]time.Time
	closed  bool
	closing chan struct{}
	writing sync.WaitGroup
}

// usesPause is how long uses are gathered. Those of the last moment before a crash are lost.
const usesPause = time.Second

func newKeyUses(store *Store) *keyUses {
	return &keyUses{store: store, pending: make(map[domain.CredentialID]time.Time), closing: make(chan struct{})}
}

// note takes down a use.
func (u *keyUses) note(key domain.CredentialID, at time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return
	}
	if len(u.pending) == 0 {
		u.writing.Go(u.writeLater)
	}
	u.pending[key] = at
}

// close writes down what has been noted, and nothing after that.
func (u *keyUses) close() {
	u.mu.Lock()
	if !u.closed {
		u.closed = true
		close(u.closing)
	}
	u.mu.Unlock()
	u.writing.Wait()
}

func (u *keyUses) writeLater() {
	pause := time.NewTimer(usesPause)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-u.closing:
	}
	u.mu.Lock()
	noted := u.pending
	u.pending = make(map[domain.CredentialID]time.Time, len(noted))
	u.mu.Unlock()
	u.write(noted)
}

// write ignores errors: the next use of a key that could not be written down is noted again.
func (u *keyUses) write(noted map[domain.CredentialID]time.Time) {
	keys := make([]domain.CredentialID, 0, len(noted))
	for key := range noted {
		keys = append(keys, key)
	}
	// One order for all servers, so that they rather wait for each other than for ever.
	slices.SortFunc(keys, func(a, b domain.CredentialID) int { return slices.Compare(a[:], b[:]) })
	// Statements of one row each go by the index, however the planner sees many rows at once; one commit is for all.
	var batch pgx.Batch
	for _, key := range keys {
		batch.Queue(`UPDATE api_keys SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)`, uuid(key), noted[key])
	}
	ctx, cancel := context.WithTimeout(context.Background(), StatementTimeout)
	defer cancel()
	_ = u.store.pool.SendBatch(ctx, &batch).Close()
}
