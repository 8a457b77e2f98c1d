package postgres_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/postgres"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// TestRequireUnprivileged verifies that a plain role is accepted and that a superuser is refused.
func TestRequireUnprivileged(t *testing.T) {
	t.Parallel()
	for database, want := range map[string]string{
		pgtest.Unprivileged(t): "",
		pgtest.Empty(t):        "superuser rights",
	} {
		inspector, err := postgres.Inspect(t.Context(), database)
		require.NoError(t, err)
		err = inspector.RequireUnprivileged(t.Context())
		inspector.Close()
		if want == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, want)
		}
	}
}
