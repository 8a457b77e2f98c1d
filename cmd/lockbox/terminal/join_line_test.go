package terminal

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/client"
)

// TestJoinText checks that only the exact text of an invitation is accepted.
func TestJoinText(t *testing.T) {
	t.Parallel()
	for _, server := range []string{"http://127.0.0.1:5000", "https://lockbox.example.org/below", "http://[::1]:5000"} {
		text := joinText(server, client.NewSecret("the-code"))
		assert.Regexp(t, `^lbi1_[A-Za-z0-9_-]+$`, text)
		url, code, err := parseJoinText(text)
		require.NoError(t, err)
		assert.Equal(t, server, url)
		assert.Equal(t, "the-code", code.Reveal())

		for _, damaged := range []string{"", "lbi1_", text[:len(text)-1], text + "A", text[1:], "'" + text + "'",
			`"` + text + `"`, " " + text, text + " ", text + "\n", "\ufeff" + text, "lockbox join " + text,
			strings.ToUpper(text), text[:20] + "\n" + text[20:], strings.Replace(text, "lbi1_", "lbi2_", 1)} {
			_, _, err := parseJoinText(damaged)
			assert.Equal(t, exitUsage, ExitCode(err), "%q", damaged)
		}
		for i := len(joinPrefix); i < len(text); i++ {
			changed := "A"
			if text[i] == 'A' {
				changed = "B"
			}
			_, _, err := parseJoinText(text[:i] + changed + text[i+1:])
			require.ErrorContains(t, err, "damaged", i)
			require.NotContains(t, err.Error(), text[8:16])
		}
	}
}

func TestInvitationURLs(t *testing.T) {
	t.Parallel()
	for server, want := range map[string]struct{ exposed, local bool }{
		"http://127.0.0.1:5000":       {false, true},
		"http://localhost:5000":       {false, true},
		"https://[::1]":               {false, true},
		"http://lockbox.example.org":  {true, false},
		"https://lockbox.example.org": {false, false},
		"http://192.0.2.1:5000":       {true, false},
	} {
		assert.Equal(t, want.exposed, exposesPassword(server), server)
		assert.Equal(t, want.local, isLocal(server), server)
	}
	for _, wrong := range []string{"lockbox.example.org", "ftp://lockbox.example.org", "https://anna:pw@example.org"} {
		_, err := checkInvitationURL(wrong)
		assert.Equal(t, exitUsage, ExitCode(err), wrong)
	}
}
