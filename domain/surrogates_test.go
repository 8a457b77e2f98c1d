package domain_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
)

func TestLoneSurrogates(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		`""`: 0, `1`: 0, `"\u0041"`: 0, `"\ud83d\ude00"`: 0, `"\uD83D\uDE00\n"`: 0, `"\\ud800"`: 0, `"\\\\ud800"`: 0,
		`"\ud7ff\ue000"`: 0, `"😀"`: 0,
		`"\ud800"`: 1, `"\uDFFF"`: 1, `"\\\ud800"`: 1, `"\ud83d\ud83d\ude00"`: 1, `"\ude00\ud83d"`: 2,
		`"\ud800\u0041"`:    1,
		`"\ud800","\udc00"`: 2, `{"\ud800":["\udc00"]}`: 2, `"\ud800\n\udc00"`: 2, `"\ud800dc00"`: 1,
	} {
		require.Equal(t, want, domain.LoneSurrogates([]byte(text)), text)
	}
}

// FuzzLoneSurrogates compares LoneSurrogates with encoding/json, which decodes a lone surrogate to a replacement
// character. It ignores text that contains the replacement character U+FFFD or the escape \ufffd.
func FuzzLoneSurrogates(f *testing.F) {
	for _, seed := range []string{`"\ud800"`, `"\ud83d\ude00"`, `"\\\ud83d\ud83d\ude00"`, `"\u0000\udfff"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var decoded string
		if strings.Contains(strings.ToLower(text), "fffd") || strings.ToValidUTF8(text, "") != text ||
			strings.ContainsRune(text, '\ufffd') || json.Unmarshal([]byte(text), &decoded) != nil {
			return
		}
		require.Equal(t, strings.ContainsRune(decoded, '\ufffd'), domain.LoneSurrogates([]byte(text)) > 0, text)
	})
}
