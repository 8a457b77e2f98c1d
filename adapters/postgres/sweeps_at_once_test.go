//go:build e2e

package postgres_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// TestConcurrentSweeps runs several sweeps at the same time, as several servers would.
func TestConcurrentSweeps(t *testing.T) {
	t.Parallel()
	store, url := openStore(t, nil)
	execute(t, url, uuidOf)
	execute(t, url, crowd)
	require.Equal(t, 20, pgtest.Number(t, url, `SELECT count(*) FROM entries
		WHERE deleted_at IS NOT NULL AND NOT swept`))
	results := make(chan int, 4)
	for range cap(results) {
		go func() {
			total := 0
			for range 20 {
				deleted, err := store.DeleteRemovedEntries(t.Context(), clock{}.Now().Add(-time.Hour), 3)
				if err != nil {
					t.Error(err)
				}
				total += deleted
			}
			results <- total
		}()
	}
	total := 0
	for range cap(results) {
		total += <-results
	}
	require.Equal(t, 20, total, "each entry is swept once")
}
