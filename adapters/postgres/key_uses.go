package postgres

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lockbox-go/lockbox/domain"
)

// keyUses records when API keys were last used, so that users can find unused keys. keyUses stores the uses of one
// interval in one commit. No request waits for that commit, and the number of commits does not depend on the number of
// keys. It is safe for concurrent use.
type keyUses struct {
	pool    *pool
	mu      sync.Mutex // guards pending and closed
	pending map[domain.CredentialID]time.Time
	closed  bool
	closing chan struct{}
	writing sync.WaitGroup
}

// keyUsesInterval is how long keyUses collects uses before it stores them. After a crash, the uses of the last interval
// are lost.
const keyUsesInterval = time.Second

func newKeyUses(pool *pool) *keyUses {
	return &keyUses{
		pool:    pool,
		pending: make(map[domain.CredentialID]time.Time),
		closing: make(chan struct{}),
	}
}

// record adds a use. The first pending use starts a goroutine. At the end of the interval, this goroutine stores all
// pending uses.
func (u *keyUses) record(key domain.CredentialID, at time.Time) {
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

// close stores the pending uses. Later uses are ignored.
func (u *keyUses) close() {
	u.mu.Lock()
	if !u.closed {
		u.closed = true
		close(u.closing)
	}
	u.mu.Unlock()
	u.writing.Wait()
}

// writeLater stores the pending uses at the end of the interval, or when close is called.
func (u *keyUses) writeLater() {
	timer := time.NewTimer(keyUsesInterval)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-u.closing:
	}
	u.mu.Lock()
	uses := u.pending
	u.pending = make(map[domain.CredentialID]time.Time, len(uses))
	u.mu.Unlock()
	u.write(uses)
}

// write ignores errors. After an error, last_used_at still has the old value, so the next use of the key is recorded.
func (u *keyUses) write(uses map[domain.CredentialID]time.Time) {
	keys := make([]domain.CredentialID, 0, len(uses))
	for key := range uses {
		keys = append(keys, key)
	}
	// All servers update the rows in the same order, so they cannot deadlock.
	slices.SortFunc(keys, func(a, b domain.CredentialID) int { return slices.Compare(a[:], b[:]) })
	// The batch has one statement for each key, because such a statement always uses the index. A single statement for
	// many keys might use a different plan. The server runs the batch as one transaction.
	var batch pgx.Batch
	for _, key := range keys {
		batch.Queue(`UPDATE api_keys SET last_used_at = $2
			WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)`, uuid(key), uses[key])
	}
	ctx, cancel := context.WithTimeout(context.Background(), StatementTimeout)
	defer cancel()
	_ = u.pool.SendBatch(ctx, &batch).Close()
}
