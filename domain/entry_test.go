package domain_test

import (
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

func TestEntry(t *testing.T) {
	t.Parallel()
	require.False(t, absent.Exists())
	require.True(t, atTwo.Exists())
	require.False(t, deleted.Exists())
	require.Equal(t, domain.Entry{Version: 1, UpdatedAt: now}, absent.Next(now))
	require.Equal(t, domain.Entry{Version: 3, UpdatedAt: now}, atTwo.Next(now))
	require.Equal(t, domain.Entry{Version: 3, UpdatedAt: now}, deleted.Next(now), "versions never restart")
}

// TestConditions: an entry that is not there, or no more, matches nothing, not even "*".
func TestConditions(t *testing.T) {
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
		match, err := domain.ParseVersions("If-Match", test.match)
		require.NoError(t, err)
		noneMatch, err := domain.ParseVersions("If-None-Match", test.noneMatch)
		require.NoError(t, err)
		condition := domain.Condition{IfMatch: match, IfNoneMatch: noneMatch}
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

func TestParseVersions(t *testing.T) {
	t.Parallel()
	list := func(of ...uint64) *domain.Versions { return &domain.Versions{List: of} }
	for header, want := range map[string]*domain.Versions{
		"": nil, " ": nil, "*": {Any: true}, " * ": {Any: true}, `"3"`: list(3), `"3","4"`: list(3, 4),
		` "3" ,	"4" `: list(3, 4), `W/"3"`: list(), `"3",W/"4"`: list(3),
		`"x"`: list(), `""`: list(), `"0"`: list(), `"-1"`: list(), `"9223372036854775807"`: list(1<<63 - 1),
		`"9223372036854775808"`: list(), `"*"`: list(),
	} {
		got, err := domain.ParseVersions("If-Match", header)
		require.NoError(t, err, header)
		require.Equal(t, want, got, header)
	}
	for _, header := range []string{"3", `"`, `"3`, `3"`, `'3'`, ",", `"3",`, `,"3"`, `*,"3"`, `"3";`, "W/3", `w/"3"`} {
		_, err := domain.ParseVersions("If-Match", header)
		requireRefusal(t, err, domain.Invalid, "invalid_precondition", "If-Match")
	}
}

func TestParseVersion(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]uint64{"1": 1, "007": 7, "9223372036854775807": 1<<63 - 1} {
		got, err := domain.ParseVersion("version", text)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, text := range []string{"", "0", "-1", "+1", "1.0", " 1", "0x1", "1_0", "9223372036854775808", "one"} {
		_, err := domain.ParseVersion("version", text)
		requireRefusal(t, err, domain.Invalid, "invalid_version", "version")
	}
}

func TestCheckValueSize(t *testing.T) {
	t.Parallel()
	require.NoError(t, domain.CheckValueSize(10, 10))
	require.NoError(t, domain.CheckValueSize(1<<30, 0), "0 is none")
	requireRefusal(t, domain.CheckValueSize(11, 10), domain.TooLarge, "value_too_large", "value")
}

// FuzzParseVersions: every number that is found stands in the header as a strong tag, and the list survives being
// written out.
func FuzzParseVersions(f *testing.F) {
	for _, seed := range []string{"", "*", `"1"`, `"1", W/"2" ,"x"`, `"9223372036854775808"`, `"1" "2"`, ","} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		versions, err := domain.ParseVersions("If-Match", header)
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
			again, err := domain.ParseVersions("If-Match", strings.Join(tags, ", "))
			require.NoError(t, err)
			require.Equal(t, versions.List, again.List)
		}
	})
}
