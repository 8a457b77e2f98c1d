package httpapi

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
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

// conditionOf returns the condition of a request with the given precondition headers. A nil list means that the request
// does not have the header.
func conditionOf(match, noneMatch []string) (domain.Condition, error) {
	sent := httptest.NewRequest("GET", "/", nil)
	if match != nil {
		sent.Header["If-Match"] = match
	}
	if noneMatch != nil {
		sent.Header["If-None-Match"] = noneMatch
	}
	r := &request{Context: echo.New().NewContext(sent, httptest.NewRecorder())}
	return r.condition()
}

// TestConditionHeaders verifies the comparison of entity tags. An absent or deleted entry matches no tag. It does not
// match "*" either. Tags are opaque. If-Match compares strongly, and If-None-Match compares weakly.
func TestConditionHeaders(t *testing.T) {
	t.Parallel()
	const none = ""
	for _, test := range []struct {
		match, noneMatch     string
		absent, two, deleted bool
	}{
		{none, none, true, true, true},
		{`*`, none, false, true, false},
		{` * `, none, false, true, false},
		{`"2"`, none, false, true, false},
		{`"1","2"`, none, false, true, false},
		{`, "1" ,,	"2",`, none, false, true, false},
		{`"a,b","2"`, none, false, true, false},
		{`"1"`, none, false, false, false},
		{`W/"2"`, none, false, false, false},
		{`W/"2","2"`, none, false, true, false},
		{`"x"`, none, false, false, false},
		{`""`, none, false, false, false},
		{`"02"`, none, false, false, false},
		{`"+2"`, none, false, false, false},
		{`"2,2"`, none, false, false, false},
		{`"*"`, none, false, false, false},
		{`"9223372036854775808"`, none, false, false, false},
		{none, `*`, true, false, true},
		{none, `"2"`, true, false, true},
		{none, `"1"`, true, true, true},
		{none, `W/"2"`, true, false, true},
		{none, `"02", W/"02"`, true, true, true},
		{none, `"1", W/"2"`, true, false, true},
		{`"2"`, `"1"`, false, true, false},
		{`"2"`, `*`, false, false, false},
	} {
		lines := func(value string) []string {
			if value == none {
				return nil
			}
			return []string{value}
		}
		condition, err := conditionOf(lines(test.match), lines(test.noneMatch))
		require.NoError(t, err, "%+v", test)
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

// TestSeveralConditionHeaders verifies that several headers with the same name form one list.
func TestSeveralConditionHeaders(t *testing.T) {
	t.Parallel()
	condition, err := conditionOf([]string{`"1"`, "", `"2"`}, nil)
	require.NoError(t, err)
	require.Equal(t, &domain.Versions{List: []uint64{1, 2}}, condition.OneOf)
	require.Nil(t, condition.NoneOf)
}

// TestMalformedConditionHeaders verifies that an empty header, or a header without a tag, is malformed.
func TestMalformedConditionHeaders(t *testing.T) {
	t.Parallel()
	for _, lines := range [][]string{{""}, {" "}, {"", ""}, {","}, {" , ,"}, {"3"}, {`"`}, {`"3`}, {`3"`}, {`'3'`},
		{`*,"3"`}, {`"3",*`}, {"*,*"}, {"*", "*"}, {`"3";`}, {`"3" "4"`}, {`"3""4"`}, {"W/3"}, {`w/"3"`}, {`W/ "3"`},
		{`"a b"`}, {"\"a\x7f\""}} {
		_, err := conditionOf(lines, nil)
		requireRefusal(t, err, domain.Invalid, "invalid_precondition", "If-Match")
		_, err = conditionOf(nil, lines)
		requireRefusal(t, err, domain.Invalid, "invalid_precondition", "If-None-Match")
	}
}

// TestUnmodified verifies that entity tags of built-in files compare weakly, and that a malformed header is ignored.
func TestUnmodified(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{`"a,b"`: true, `W/"a,b"`: true, `"x", "a,b"`: true, "*": true, "": false,
		`"a`: false, `a,b`: false, `"A,B"`: false, `"x"`: false} {
		require.Equal(t, want, unmodified(http.Header{"If-None-Match": {value}}, `"a,b"`), value)
	}
	require.False(t, unmodified(http.Header{}, `"a"`))
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

// FuzzParseEntityTags verifies that a parsed list can be formatted and parsed again, and that each tag is part of the
// header.
func FuzzParseEntityTags(f *testing.F) {
	for _, seed := range []string{"", "*", `"1"`, `"1", W/"2" ,"x"`, `"9223372036854775808"`, `"1" "2"`, ",",
		`,"a,b",`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		tags, all, ok := parseEntityTags(header)
		require.False(t, all && len(tags) > 0)
		require.True(t, !ok || all || len(tags) > 0)
		if !ok || all {
			return
		}
		var list []string
		for _, tag := range tags {
			text := tag.quoted
			if tag.weak {
				text = "W/" + text
			}
			require.Contains(t, header, text)
			list = append(list, text)
		}
		again, _, ok := parseEntityTags(strings.Join(list, " , "))
		require.True(t, ok)
		require.Equal(t, tags, again)
	})
}
