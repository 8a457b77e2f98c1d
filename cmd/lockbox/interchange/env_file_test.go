package interchange

import (
	"bufio"
	"bytes"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// readEnvFile reads a file in the same way as docker run --env-file and kubectl create secret --from-env-file. It
// removes leading white space and skips lines that begin with #. The value is the rest of the line after the name and
// '='.
func readEnvFile(t *testing.T, text []byte) map[string]string {
	t.Helper()
	scanner := bufio.NewScanner(bytes.NewReader(text))
	read := map[string]string{}
	for first := true; scanner.Scan(); first = false {
		line := scanner.Text()
		if first {
			line = strings.TrimPrefix(line, "\ufeff")
		}
		if line = strings.TrimLeftFunc(line, unicode.IsSpace); line == "" || line[0] == '#' {
			continue
		}
		name, value, found := strings.Cut(line, "=")
		require.True(t, found, name)
		require.NotContains(t, name, " ")
		read[name] = value
	}
	require.NoError(t, scanner.Err())
	return read
}

// readGitHubEnv reads the file $GITHUB_ENV with the rules of the GitHub Actions runner on Linux.
func readGitHubEnv(t *testing.T, text string) map[string]string {
	t.Helper()
	read := map[string]string{}
	for text != "" {
		line, rest, found := strings.Cut(text, "\n")
		require.True(t, found)
		text = rest
		equals, heredoc := strings.Index(line, "="), strings.Index(line, "<<")
		switch {
		case line == "":
		case heredoc >= 0 && (equals < 0 || heredoc < equals):
			name, delimiter := line[:heredoc], line[heredoc+2:]
			var lines []string
			for {
				line, rest, found := strings.Cut(text, "\n")
				require.True(t, found, "the value of %s has no end", name)
				if text = rest; line == delimiter {
					break
				}
				lines = append(lines, line)
			}
			read[name] = strings.Join(lines, "\n")
		default:
			require.GreaterOrEqual(t, equals, 1, line)
			read[line[:equals]] = line[equals+1:]
		}
	}
	return read
}

// TestDockerFormat verifies that Docker reads each awkward value unchanged, or that WriteDocker refuses it with the
// name of the variable.
func TestDockerFormat(t *testing.T) {
	t.Parallel()
	carried := 0
	for _, value := range append(awkward, strings.Repeat("x", 65535-len("NAME=")),
		strings.Repeat("x", 65536-len("NAME=")),
		`'quoted'`, `"half`, "x\r") {
		var out bytes.Buffer
		err := WriteDocker(&out, []Variable{{"NAME", value}, {"NEXT", "1"}})
		refused := strings.ContainsAny(value, "\r\n") || len("NAME=")+len(value) > 65535 || isQuoted(value)
		if refused {
			require.ErrorContains(t, err, "NAME ", "%.40q", value)
			require.Empty(t, out.String())
			continue
		}
		require.NoError(t, err, "%.40q", value)
		require.Equal(t, map[string]string{"NAME": value, "NEXT": "1"}, readEnvFile(t, out.Bytes()))
		carried++
	}
	assert.Greater(t, carried, 60)
	for name, variable := range map[string]Variable{
		"a line end": {"A", "a\nb"}, "64 KiB": {"A", strings.Repeat("x", 70_000)}, "quotes": {"A", `"x"`},
		"NUL": {"A", "\x00"}, "253": {strings.Repeat("N", 254), "x"},
	} {
		assert.ErrorContains(t, WriteDocker(&bytes.Buffer{}, []Variable{variable}), name)
	}
}

// TestGitHubFormat verifies that each awkward value gets a mask, and that the runner reads it unchanged. It also checks
// which variables WriteGitHub refuses.
func TestGitHubFormat(t *testing.T) {
	t.Parallel()
	values := append(awkward, "a\nlockbox_x\nb", "x<<EOF", "EOF\nINJECTED=1", "::set-env name=X::y", "100%", "%0A")
	for _, value := range values {
		variables := []Variable{{"NAME", value}, {"NEXT", "1"}}
		var out, masks bytes.Buffer
		err := WriteGitHub(&out, variables)
		if strings.HasSuffix(value, "\r") {
			require.ErrorContains(t, err, "NAME ", "%q", value)
			require.Empty(t, out.String())
			continue
		}
		require.NoError(t, err, "%q", value)
		require.Equal(t, map[string]string{"NAME": value, "NEXT": "1"}, readGitHubEnv(t, out.String()))
		require.NoError(t, WriteGitHubMasks(&masks, variables))
		masked := map[string]bool{}
		for line := range strings.Lines(masks.String()) {
			text, is := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "::add-mask::")
			require.True(t, is, line)
			masked[strings.NewReplacer("%0D", "\r", "%0A", "\n", "%25", "%").Replace(text)] = true
		}
		for _, part := range append(strings.Split(value, "\n"), value) {
			if part = strings.Trim(part, "\r"); strings.TrimSpace(part) != "" && !strings.Contains(part, "\r") {
				require.True(t, masked[part], "%q of %q", part, value)
			}
		}
	}
	for _, name := range []string{"GITHUB_TOKEN", "RUNNER_TEMP", "NODE_OPTIONS", "github_env"} {
		assert.ErrorContains(t, WriteGitHub(&bytes.Buffer{}, []Variable{{name, "x"}}), name)
	}
	var one, other bytes.Buffer
	lines := []Variable{{"A", "1\n2"}}
	require.NoError(t, WriteGitHub(&one, lines))
	require.NoError(t, WriteGitHub(&other, lines))
	require.NotEqual(t, one.String(), other.String(), "a value must not be able to contain the delimiter")
}
