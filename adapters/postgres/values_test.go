package postgres

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"
)

// TestPointersEncodeLikeSlices verifies that the driver encodes a value of type pointers[T] like an ordinary slice with
// the same elements. Some of the arrays have NULL elements, and one has no elements.
func TestPointersEncodeLikeSlices(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	id := pgtype.UUID{Bytes: [16]byte{1, 2, 3}, Valid: true}
	same := func(value pgtype.UUID) pgtype.UUID { return value }
	for name, test := range map[string]struct {
		oid             uint32
		pointers, slice any
	}{
		"identifiers": {
			pgtype.UUIDArrayOID,
			uuids([]pgtype.UUID{id, {}, id}, same),
			[]pgtype.UUID{id, {}, id},
		},
		"no identifiers": {pgtype.UUIDArrayOID, uuids([]pgtype.UUID{}, same), []pgtype.UUID{}},
		"only NULL":      {pgtype.UUIDArrayOID, uuids([]pgtype.UUID{{}}, same), []pgtype.UUID{{}}},
		"texts": {
			pgtype.TextArrayOID,
			texts([]string{"", "a", "ü,{}\"\\"}, func(text string) string { return text }),
			[]string{"", "a", "ü,{}\"\\"},
		},
		"times": {
			pgtype.TimestamptzArrayOID,
			timestamps([]time.Time{at, {}}, func(at time.Time) time.Time { return at }),
			[]pgtype.Timestamptz{{Time: at, Valid: true}, {}},
		},
		"numbers": {
			pgtype.Int4ArrayOID,
			pointers[pgtype.Int4]{{Int32: 7, Valid: true}, {}},
			[]pgtype.Int4{{Int32: 7, Valid: true}, {}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			types := pgtype.NewMap()
			wanted, err := types.Encode(test.oid, pgtype.BinaryFormatCode, test.slice, nil)
			require.NoError(t, err)
			require.NotEmpty(t, wanted)
			encoded, err := types.Encode(test.oid, pgtype.BinaryFormatCode, test.pointers, nil)
			require.NoError(t, err)
			require.Equal(t, wanted, encoded)
		})
	}
}
