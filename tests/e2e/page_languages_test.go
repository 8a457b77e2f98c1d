//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// languages maps each language to a bash command. The test first copies an example of docs/languages.md to the file $1.
// The command then runs this file.
var languages = map[string]string{
	"bash":       `set -o pipefail; . "$1"`,
	"python":     `python3 "$1"`,
	"javascript": `node "$1"`,
	"csharp":     `mcs -r:System.Net.Http.dll -out:"$1.exe" "$1" && mono "$1.exe"`,
}

// TestLanguagesPageExamples runs each example of the page. The example must print the value of the entry. If the
// request is refused, the example must fail, print the error code, and print neither the token nor the key.
func TestLanguagesPageExamples(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	root.put(root.box("prod"), "payments/stripe", `{"secretKey":"sk_live_canary"}`).expect(201)
	stranger := root.user("stranger")
	examples := regexp.MustCompile("(?s)```([a-z]+)\n(.*?)```").FindAllStringSubmatch(page(t, "docs/languages.md"), -1)
	require.Len(t, examples, 5)
	for i, example := range examples {
		language, text := example[1], example[2]
		path := filepath.Join(t.TempDir(), "example"+string(rune('0'+i)))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		run := func(token string) (string, error) {
			command := exec.CommandContext(t.Context(), "bash", "-c", languages[language], "bash", path)
			command.Env = append(os.Environ(), "LOCKBOX_API_URL="+s.url, "LOCKBOX_API_KEY="+token,
				"LOCKBOX_ENCRYPTION_KEY="+generatedKey)
			out, err := command.CombinedOutput()
			return string(out), err
		}
		out, err := run(root.token)
		require.NoError(t, err, "%s: %s", language, out)
		require.Equal(t, "sk_live_canary", strings.TrimSpace(out), language)
		out, err = run(stranger.token)
		require.Error(t, err, "%s: %s", language, out)
		if language != "bash" { // jq consumed curl's output
			require.Contains(t, out, "box_not_found", language)
		}
		require.NotContains(t, out, stranger.token, language)
		require.NotContains(t, out, generatedKey, language)
	}
}
