//go:build unix

package terminal

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDotenvRoundTrip imports a .env file of 1,000 lines and exports it again. It checks that bash reads the same
// values from both files.
func TestDotenvRoundTrip(t *testing.T) {
	t.Parallel()
	u := withEntries(t)
	dir := t.TempDir()
	original, returned := filepath.Join(dir, "original.env"), filepath.Join(dir, "returned.env")
	require.NoError(t, os.WriteFile(original, []byte(thousandLines()), 0o600))

	u.lockbox("import", "prod/app", original)
	u.lockbox("export", "prod/app", "--file", returned)
	before, after := asBash(t, original), asBash(t, returned)
	require.Len(t, before, 1000)
	for name, value := range before {
		require.Equal(t, value, after[name], name)
	}
	assert.Len(t, after, len(before))

	// lockbox run must pass the same values to the program that it starts.
	u.lockbox("run", "prod/app", "--", "bash", "-c", "env -0 > '"+returned+"'")
	text, err := os.ReadFile(returned)
	require.NoError(t, err)
	inherited := variables(string(text))
	for name, value := range before {
		require.Equal(t, value, inherited[name], name)
	}
}

// thousandLines returns a .env file in which the lines have various common styles. bash and other readers of .env files
// read the same values from these lines.
func thousandLines() string {
	forms := []string{
		"%s=plain%d", "export %s=exported-%d", "%s='single # quotes = $HOME \\n %d'", `%s="double quotes %d"`,
		"%s=https://u:p@h:%d/?a=b", "%s=%d # a comment",
		`%s="it's \"both\" \$5 %d"`, "%s=", "%s=''", "%s='grüße 日本 🔑 %d'", `%s="back\\slash %d"`, "%s=' blanks %d '",
		"%s=a#b%d", `%s="back\` + "`" + `tick %d"`, "%s=x=y==%d",
	}
	var text strings.Builder
	for lines := 0; lines < 1000; lines++ {
		name := fmt.Sprintf("NAME_%d", lines)
		form := forms[lines%len(forms)]
		if strings.Contains(form, "%d") {
			fmt.Fprintf(&text, form+"\n", name, lines)
		} else {
			fmt.Fprintf(&text, form+"\n", name)
		}
	}
	all := strings.Replace(text.String(), "NAME_0=plain0", "NAME_0='first\nsecond # line\n\n=fourth'", 1)
	return "# A thousand names\n\n" + all
}

// asBash returns the variables that bash reads from a file.
func asBash(t *testing.T, path string) map[string]string {
	t.Helper()
	command := exec.Command("bash", "--norc", "-c", `set -a; . "$1"; exec env -0`, "bash", path)
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8"}
	out, err := command.Output()
	require.NoError(t, err)
	return variables(string(out))
}

// variables parses NUL-separated NAME=value pairs and returns those whose names begin with NAME_.
func variables(text string) map[string]string {
	found := map[string]string{}
	for pair := range strings.SplitSeq(text, "\x00") {
		if name, value, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "NAME_") {
			found[name] = value
		}
	}
	return found
}
