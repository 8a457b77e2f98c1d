package domain_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
)

// TestNames verifies that the names of users and boxes have the same alphabet and different maximum lengths.
func TestNames(t *testing.T) {
	t.Parallel()
	parsers := map[string]struct {
		most  int
		parse func(string) (string, error)
	}{
		"username": {50, func(text string) (string,
			error) {
			name, err := domain.ParseUserName(text)
			return string(name), err
		}},
		"box": {100, func(text string) (string, error) {
			name, err := domain.ParseBoxName(text)
			return string(name),
				err
		}},
	}
	for field, of := range parsers {
		good := map[string]string{"a": "a", "Z": "z", "0": "0", "a.b": "a.b", "a_b": "a_b", "a-b": "a-b",
			"A.b-C_9": "a.b-c_9", "1.2.3": "1.2.3",
			strings.Repeat("N", of.most): strings.Repeat("n", of.most)}
		for text, want := range good {
			got, err := of.parse(text)
			require.NoError(t, err, "%s %q", field, text)
			require.Equal(t, want, got, field)
		}
		bad := []string{".", "-", "_", ".a", "a.", "-a", "a-", "_a", "a_", "a..b", "a--b", "a__b", "a.-b", "a b", " a",
			"a ", "a/b", "a:b", "a@b", "a+b", "a\\b",
			"ä", "ａ", "\u212a", "a\x00", "\x00", "a\n", "\xff", "a\xffb", "🙂", "%41", strings.Repeat("n", of.most+1),
			strings.Repeat("n", 1<<20)}
		for _, text := range bad {
			got, err := of.parse(text)
			requireRefusal(t, err, domain.Invalid, "invalid_"+field, field)
			require.Empty(t, got)
		}
		_, err := of.parse("")
		requireRefusal(t, err, domain.Invalid, field+"_required", field)
	}
}

// requireRefusal checks the stable parts of a refusal, and that it has a message.
func requireRefusal(t *testing.T, err error, kind domain.Kind, code, field string) {
	t.Helper()
	require.ErrorIs(t, err, kind)
	require.Equal(t, code, domain.CodeOf(err))
	var refusal *domain.Error
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, field, refusal.Field)
	require.NotEmpty(t, refusal.Message)
}

func TestEntryKeys(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a": "a", "Z": "z", "0": "0", "_": "_", "__": "__", "_a": "_a", "a-": "a-", "a.": "a.", "a@": "a@",
		"a..b": "a..b", "a--b": "a--b", "0-.@_": "0-.@_",
		"a/b": "a/b", "a:b": "a:b", "a/b:c/d": "a/b:c/d", "Team/DB:Prod": "team/db:prod", "_/_": "_/_",
		"me@example.org":         "me@example.org",
		strings.Repeat("K", 200): strings.Repeat("k", 200),
	} {
		got, err := domain.ParseEntryKey(text)
		require.NoError(t, err, text)
		require.Equal(t, domain.EntryKey(want), got)
	}
	for _, text := range []string{"/", ":", "-", ".", "@", "-a", ".a", "@a", "/a", "a/", ":a", "a:", "a//b", "a::b",
		"a/:b", "a/-b", "a:.b", "a/@b", "..", "../a",
		"a/../b", "a b", "a\\b", "a*b", "a%2fb", "a?b", "a#b", "ä", "a\x00b", "\xff", "a\n", "🙂", "\u212a",
		strings.Repeat("k", 201)} {
		got, err := domain.ParseEntryKey(text)
		requireRefusal(t, err, domain.Invalid, "invalid_key", "key")
		require.Empty(t, got)
	}
	_, err := domain.ParseEntryKey("")
	requireRefusal(t, err, domain.Invalid, "key_required", "key")
}

func TestKeyPrefixes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"": "", "a": "a", "A/": "a/", "a:": "a:", "a/B": "a/b", "a-": "a-",
		"_": "_", strings.Repeat("k", 199): strings.Repeat("k", 199)} {
		got, err := domain.ParseKeyPrefix(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got)
	}
	for _, text := range []string{"/", ":", "-", "a//", "a b", "%", "_%", "a*", "ä", "\x00", "\xff",
		strings.Repeat("k", 200)} {
		_, err := domain.ParseKeyPrefix(text)
		requireRefusal(t, err, domain.Invalid, "invalid_prefix", "prefix")
	}
}

// FuzzParseEntryKey verifies that parsing converts a key to lower case. Parsing the result again does not change it.
// All prefixes of the result are valid.
func FuzzParseEntryKey(f *testing.F) {
	for _, seed := range []string{"", "a", "A/b:C", "a//b", "..", "_@-.", "a\x00", "ä", strings.Repeat("k", 201)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		key, err := domain.ParseEntryKey(text)
		if err != nil {
			require.ErrorIs(t, err, domain.Invalid)
			require.Empty(t, key)
			return
		}
		require.True(t, strings.EqualFold(text, string(key)))
		require.LessOrEqual(t, len(key), 200)
		again, err := domain.ParseEntryKey(string(key))
		require.NoError(t, err)
		require.Equal(t, key, again)
		for i := range min(len(key), 199) {
			_, err := domain.ParseKeyPrefix(string(key[:i]))
			require.NoError(t, err, "%q", key[:i])
		}
	})
}
