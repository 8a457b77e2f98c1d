package postgres

import (
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lockbox-go/lockbox/domain"
)

// uuid passes an identifier; the zero one is NULL.
func uuid[T any](id domain.ID[T]) pgtype.UUID {
	return pgtype.UUID{Bytes: id, Valid: !id.IsZero()}
}

// timestamp passes a time; the zero one is NULL.
func timestamp(at time.Time) pgtype.Timestamptz {
	return pgtype.Timestamptz{Time: at, Valid: !at.IsZero()}
}

func timeOf(value pgtype.Timestamptz) time.Time {
	if !value.Valid {
		return time.Time{}
	}
	return value.Time.UTC()
}

// unnest is the rows whose columns come as arrays of these types, from $1. The arrays are selected, so that the planner
// does not count them: it settles on one plan then, and would otherwise make a new one each time for few rows.
func unnest(types ...string) string {
	arrays := make([]string, len(types))
	for i, each := range types {
		arrays[i] = `(SELECT $` + strconv.Itoa(i+1) + `::` + each + `[])`
	}
	return `unnest(` + strings.Join(arrays, ", ") + `)`
}

// names collects a column of text.
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

// collect reads all rows with scan.
func collect[T any](rows pgx.Rows, err error, scan func(pgx.CollectableRow) (T, error)) ([]T, error) {
	if err != nil {
		return nil, translate(err)
	}
	list, err := pgx.CollectRows(rows, scan)
	return list, translate(err)
}
