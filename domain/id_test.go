package domain_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
)

func TestIDs(t *testing.T) {
	t.Parallel()
	id := domain.UserID{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0, 1, 2, 3, 4, 5, 6, 0xff}
	const text = "01234567-89ab-cdef-0001-0203040506ff"
	require.Equal(t, text, id.String())
	for _, spelling := range []string{text, strings.ToUpper(text)} {
		got, ok := domain.ParseID[domain.User](spelling)
		require.True(t, ok)
		require.Equal(t, id, got)
	}
	for _, bad := range []string{"", "x", text[1:], text + "0", strings.ReplaceAll(text, "-", ""), "{" + text + "}",
		"urn:uuid:" + text, text[:35] + "g", text[:35] + "-",
		strings.Replace(text, "-", "0", 1), "0123456-789ab-cdef-0001-0203040506ff",
		"--------------------------0203040506", text[:34] + "\xff\xff", strings.Repeat("-", 36)} {
		_, ok := domain.ParseID[domain.User](bad)
		require.False(t, ok, bad)
	}
	require.True(t, domain.UserID{}.IsZero())
	require.False(t, id.IsZero())
}

// FuzzParseID verifies that the text of a parsed identifier is the input in lower case.
func FuzzParseID(f *testing.F) {
	for _, seed := range []string{"01234567-89ab-cdef-0001-0203040506ff", "", "01234567-89AB-CDEF-0001-0203040506FF",
		"0123456789abcdef00010203040506ff----"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, ok := domain.ParseID[domain.Box](text)
		if !ok {
			require.True(t, id.IsZero())
			return
		}
		require.Equal(t, strings.ToLower(text), id.String())
	})
}
