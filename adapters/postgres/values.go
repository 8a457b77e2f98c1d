package postgres

import (
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lockbox-go/lockbox/domain"
)

// uuid converts an identifier to a statement parameter. The zero identifier becomes NULL.
func uuid[T any](id domain.ID[T]) pgtype.UUID {
	return pgtype.UUID{Bytes: id, Valid: !id.IsZero()}
}

// storedKeyID converts the ID of a box key to a statement parameter. The zero ID becomes NULL.
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

// timestamp converts a time to a statement parameter. The zero time becomes NULL.
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

// unnest returns a FROM item that turns array parameters into rows. The argument "types" lists the element types of the
// arrays. The first array is $1, the second is $2, and so on. Each array is in a sub-select, which hides its length
// from the planner. Otherwise the planner would prefer a custom plan for these few rows to the generic plan, and would
// plan the statement again for every execution.
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

// pointers is the type of an array parameter that the driver encodes without copying the elements. For an ordinary
// slice, the driver copies each element into an interface value, and uses reflection for most types. The type T must
// have a method that the driver calls, such as UUIDValue.
type pointers[T any] []T

// Dimensions, Index and IndexType implement pgtype.ArrayGetter.
func (p pointers[T]) Dimensions() []pgtype.ArrayDimension {
	return []pgtype.ArrayDimension{{Length: int32(len(p)), LowerBound: 1}} //nolint:gosec // the size of a batch
}

// Index returns a pointer to an element.
func (p pointers[T]) Index(i int) any { return &p[i] }

// IndexType returns a new element, from which the driver learns the type of the elements.
func (p pointers[T]) IndexType() any { return new(T) }

// uuids is like column, but returns identifiers.
func uuids[C any](items []C, value func(C) pgtype.UUID) pointers[pgtype.UUID] {
	return column(items, value)
}

// texts is like column, but returns text values.
func texts[C any](items []C, value func(C) string) pointers[pgtype.Text] {
	return column(items, func(c C) pgtype.Text { return pgtype.Text{String: value(c), Valid: true} })
}

// timestamps is like column, but returns times. The zero time becomes NULL.
func timestamps[C any](items []C, value func(C) time.Time) pointers[pgtype.Timestamptz] {
	return column(items, func(c C) pgtype.Timestamptz { return timestamp(value(c)) })
}

// names reads all rows, which must have a single text column, and returns the values.
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

// collect reads all rows with the function scan. The arguments rows and err are the results of Query. collect
// translates this error, and the errors of the rows.
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
