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

// unnest makes rows of arrays of these types, from $1. Each array is a sub-select, so that the planner cannot see how long
// it is: seeing it, it would take a plan for these few rows to be cheaper, and plan anew every time.
func unnest(types ...string) string {
	arrays := make([]string, len(types))
	for i, each := range types {
		arrays[i] = `(SELECT $` + strconv.Itoa(i+1) + `::` + each + `[])`
	}
	return `unnest(` + strings.Join(arrays, ", ") + `)`
}

// column is one of the arrays for unnest.
func column[C, T any](of []C, value func(C) T) []T {
	values := make([]T, len(of))
	for i, each := range of {
		values[i] = value(each)
	}
	return values
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
