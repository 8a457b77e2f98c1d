package domain_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
)

var (
	absent  = domain.Entry{}
	atTwo   = domain.Entry{Version: 2}
	deleted = domain.Entry{Version: 2, Deleted: true}
)

func TestEntry(t *testing.T) {
	t.Parallel()
	require.False(t, absent.Exists())
	require.True(t, atTwo.Exists())
	require.False(t, deleted.Exists())
	require.Equal(t, domain.Entry{Version: 1, UpdatedAt: now}, absent.Next(now))
	require.Equal(t, domain.Entry{Version: 3, UpdatedAt: now}, atTwo.Next(now))
	require.Equal(t, domain.Entry{Version: 3, UpdatedAt: now}, deleted.Next(now), "versions never restart")
}

// TestConditions covers entries with and without a value. For an entry without a value, every OneOf condition fails,
// even with the set of all versions. Every NoneOf condition holds.
func TestConditions(t *testing.T) {
	t.Parallel()
	all := &domain.Versions{Any: true}
	list := func(versions ...uint64) *domain.Versions { return &domain.Versions{List: versions} }
	for _, test := range []struct {
		oneOf, noneOf        *domain.Versions
		absent, two, deleted bool
	}{
		{nil, nil, true, true, true},
		{all, nil, false, true, false},
		{list(2), nil, false, true, false},
		{list(1, 2), nil, false, true, false},
		{list(1), nil, false, false, false},
		{list(), nil, false, false, false},
		{nil, all, true, false, true},
		{nil, list(2), true, false, true},
		{nil, list(1), true, true, true},
		{nil, list(), true, true, true},
		{list(2), list(1), false, true, false},
		{list(2), all, false, false, false},
	} {
		condition := domain.Condition{OneOf: test.oneOf, NoneOf: test.noneOf}
		for entry, holds := range map[*domain.Entry]bool{&absent: test.absent, &atTwo: test.two,
			&deleted: test.deleted} {
			err := condition.Check(*entry)
			if holds {
				require.NoError(t, err, "%+v on %+v", test, entry)
			} else {
				require.ErrorIs(t, err, domain.ErrPrecondition, "%+v on %+v", test, entry)
			}
		}
	}
}

func TestCheckValueSize(t *testing.T) {
	t.Parallel()
	require.NoError(t, domain.CheckValueSize(10, 10))
	require.NoError(t, domain.CheckValueSize(1<<30, 0), "0 means no limit")
	requireRefusal(t, domain.CheckValueSize(11, 10), domain.TooLarge, "value_too_large", "value")
}
