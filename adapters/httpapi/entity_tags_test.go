package httpapi

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
)

var (
	absent  = domain.Entry{}
	atTwo   = domain.Entry{Version: 2}
	deleted = domain.Entry{Version: 2, Deleted: true}
)

// requireRefusal checks the kind, the code and the field of an error.
func requireRefusal(t *testing.T, err error, kind domain.Kind, code, field string) {
	t.Helper()
	require.ErrorIs(t, err, kind)
	require.Equal(t, code, domain.CodeOf(err))
	refusal, ok := errors.AsType[*domain.Error](err)
	require.True(t, ok)
	require.Equal(t, field, refusal.Field)
}

// TestConditionHeaders: an entry without a value matches no entity tag, including "*".
func TestConditionHeaders(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		match, noneMatch     string
		absent, two, deleted bool
	}{
		{"", "", true, true, true},
		{`*`, "", false, true, false},
		{`"2"`, "", false, true, false},
		{`"1","2"`, "", false, true, false},
		{`"1"`, "", false, false, false},
		{`W/"2"`, "", false, false, false},
		{`"x"`, "", false, false, false},
		{"", `*`, true, false, true},
		{"", `"2"`, true, false, true},
		{"", `"1"`, true, true, true},
		{"", `W/"2"`, true, true, true},
		{`"2"`, `"1"`, false, true, false},
		{`"2"`, `*`, false, false, false},
	} {
		match, err := parseEntityTags("If-Match", test.match)
		require.NoError(t, err)
		noneMatch, err := parseEntityTags("If-None-Match", test.noneMatch)
		require.NoError(t, err)
		condition := domain.Condition{OneOf: match, NoneOf: noneMatch}
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

func TestParseEntityTags(t *testing.T) {
	t.Parallel()
	list := func(of ...uint64) *domain.Versions { return &domain.Versions{List: of} }
	for header, want := range map[string]*domain.Versions{
		"": nil, " ": nil, "*": {Any: true}, " * ": {Any: true}, `"3"`: list(3), `"3","4"`: list(3, 4),
		` "3" ,	"4" `: list(3, 4), `W/"3"`: list(), `"3",W/"4"`: list(3),
		`"x"`: list(), `""`: list(), `"0"`: list(), `"-1"`: list(), `"9223372036854775807"`: list(1<<63 - 1),
		`"9223372036854775808"`: list(), `"*"`: list(),
	} {
		got, err := parseEntityTags("If-Match", header)
		require.NoError(t, err, header)
		require.Equal(t, want, got, header)
	}
	for _, header := range []string{"3", `"`, `"3`, `3"`, `'3'`, ",", `"3",`, `,"3"`, `*,"3"`, `"3";`, "W/3", `w/"3"`} {
		_, err := parseEntityTags("If-Match", header)
		requireRefusal(t, err, domain.Invalid, "invalid_precondition", "If-Match")
	}
}

func TestParseVersion(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]uint64{"1": 1, "007": 7, "9223372036854775807": 1<<63 - 1} {
		got, err := parseVersion("version", text)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, text := range []string{"", "0", "-1", "+1", "1.0", " 1", "0x1", "1_0", "9223372036854775808", "one"} {
		_, err := parseVersion("version", text)
		requireRefusal(t, err, domain.Invalid, "invalid_version", "version")
	}
}

// FuzzParseEntityTags: every parsed number is a strong tag of the header, and the list can be formatted and parsed
// again.
func FuzzParseEntityTags(f *testing.F) {
	for _, seed := range []string{"", "*", `"1"`, `"1", W/"2" ,"x"`, `"9223372036854775808"`, `"1" "2"`, ","} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		versions, err := parseEntityTags("If-Match", header)
		if err != nil {
			require.ErrorIs(t, err, domain.Invalid)
			return
		}
		if versions == nil {
			require.Empty(t, strings.TrimSpace(header))
			return
		}
		require.False(t, versions.Any && len(versions.List) > 0)
		var tags []string
		for _, number := range versions.List {
			require.Positive(t, number)
			require.Contains(t, header, strconv.FormatUint(number, 10)+`"`)
			tags = append(tags, `"`+strconv.FormatUint(number, 10)+`"`)
		}
		if len(tags) > 0 {
			again, err := parseEntityTags("If-Match", strings.Join(tags, ", "))
			require.NoError(t, err)
			require.Equal(t, versions.List, again.List)
		}
	})
}
