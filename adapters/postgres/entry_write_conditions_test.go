//go:build e2e

package postgres_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// TestAConditionalWriteWhoseConditionsChangedStoresNothing changes one condition after the lookup and before the write.
func TestAConditionalWriteWhoseConditionsChangedStoresNothing(t *testing.T) {
	t.Parallel()
	for _, credential := range holders(2) {
		for _, changes := range []map[string]string{commonChanges, ownChanges[credential.Kind]} {
			for what, sql := range changes {
				t.Run(string(credential.Kind)+"/"+what, func(t *testing.T) {
					t.Parallel()
					store, url := openOffice(t)
					r := conditionalWrite(t, store, credential, "box-1", "entry-0")
					execute(t, url, sql)
					before := pgtest.Column(t, url, versionsOfEntry0)
					stored, err := store.WriteIfUnchanged(t.Context(), r)
					require.NoError(t, err)
					require.False(t, stored)
					require.Equal(t, before, pgtest.Column(t, url, versionsOfEntry0))
					require.Empty(t, pgtest.Column(t, url, writeEvents))
				})
			}
		}
	}
}
