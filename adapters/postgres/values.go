package postgres

import (
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lockbox-go/lockbox/domain"
)

// uuid converts an identifier to a parameter; the zero identifier becomes NULL.
func uuid[T any](id domain.ID[T]) pgtype.UUID {
	return pgtype.UUID{Bytes: id, Valid: !id.IsZero()}
}

// storedKeyID converts the id of a box key to a parameter; zero becomes NULL.
func storedKeyID(key domain.KeyID) []byte {
	if key.IsZero() {
		return nil
	}
	return key[:]
}

// keyIDOf is the inverse of storedKeyID.
func keyIDOf(stored []byte) (key domain.KeyID) {
	copy(key[:], stored)
	return key
}

// timestamp converts a time to a parameter; the zero time becomes NULL.
func timestamp(at time.Time) pgtype.Timestamptz {
	return pgtype.Timestamptz{Time: at, Valid: !at.IsZero()}
}

// timeOf is the inverse of timestamp. Times are in UTC.
func timeOf(value pgtype.Timestamptz) time.Time {
	if !value.Valid {
		return time.Time{}
	}
	return value.Time.UTC()
}

// unnest returns a FROM item that turns array parameters of the given types, starting at $1, into rows. Each array is a
// sub-select, so that the planner cannot see its length. Otherwise the planner would estimate that a custom plan for
// these few rows is cheaper than the generic plan, and it would plan the statement again for every execution.
func unnest(types ...string) string {
	arrays := make([]string, len(types))
	for i, name := range types {
		arrays[i] = `(SELECT $` + strconv.Itoa(i+1) + `::` + name + `[])`
	}
	return `unnest(` + strings.Join(arrays, ", ") + `)`
}

// column returns an array parameter for unnest, with one value for each item.
func column[C, T any](items []C, value func(C) T) []T {
	values := make([]T, len(items))
	for i, item := range items {
		values[i] = value(item)
	}
	return values
}

// pointers is an array parameter whose elements the driver reads in place. For an ordinary slice, the driver copies
// each element into an interface value, and for most types it also uses reflection. The type of an element must have a
// method that the driver calls, such as UUIDValue.
type pointers[T any] []T

// Dimensions, Index and IndexType implement pgtype.ArrayGetter.
func (p pointers[T]) Dimensions() []pgtype.ArrayDimension {
	return []pgtype.ArrayDimension{{Length: int32(len(p)), LowerBound: 1}} //nolint:gosec // the size of a batch
}

// Index returns an element.
func (p pointers[T]) Index(i int) any { return &p[i] }

// IndexType returns a value of the type that Index returns.
func (p pointers[T]) IndexType() any { return new(T) }

// uuids is like column, for identifiers.
func uuids[C any](items []C, value func(C) pgtype.UUID) pointers[pgtype.UUID] {
	return column(items, value)
}

// texts is like column, for text.
func texts[C any](items []C, value func(C) string) pointers[pgtype.Text] {
	return column(items, func(c C) pgtype.Text { return pgtype.Text{String: value(c), Valid: true} })
}

// timestamps is like column, for times. The zero time becomes NULL.
func timestamps[C any](items []C, value func(C) time.Time) pointers[pgtype.Timestamptz] {
	return column(items, func(c C) pgtype.Timestamptz { return timestamp(value(c)) })
}

// names returns the values of rows with a single column of text.
func names[T ~string](rows pgx.Rows, err error) ([]T, error) {
	if err != nil {
		return nil, translate(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, translate(err)
	}
	typed := make([]T, len(list))
	for i, name := range list {
		typed[i] = T(name)
	}
	return typed, nil
}

// collect reads all rows with scan. Its first two arguments are the results of Query, so it translates the errors of
// Query and of the rows in one place.
func collect[T any](rows pgx.Rows, err error, scan func(pgx.CollectableRow) (T, error)) ([]T, error) {
	if err != nil {
		return nil, translate(err)
	}
	list, err := pgx.CollectRows(rows, scan)
	return list, translate(err)
}

// number converts a version number to a parameter. The domain limits version numbers to 63 bits.
func number(version uint64) int64 { return int64(version) } //nolint:gosec // see above

// unsigned is the inverse of number.
func unsigned(stored int64) uint64 { return uint64(stored) } //nolint:gosec // stored by number
