package interchange

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// awkward has values that would change if they were quoted or escaped wrongly.
var awkward = []string{
	"", " ", " leading", "trailing ", "\ttab\t", "plain", "two words", "it's", `say "hi"`, `it's "both"`, "'", `"`, "`",
	"''", `'"'"'`,
	"#", "a#b", "a #b", "#!/bin/sh", "=", "a=b==", "$", "$HOME", "${HOME}", "$(id)", "`id`", "it's $HOME `id` \\", `\`,
	`\\`, `\n`, `a\`, `it's\n`,
	"line\nline", "line\n", "\nline", "\n", "\r", "a\rb", "a\r\nb", "it's\r\n", "grüße", "日本語", "🔑", "\u2028", "\u00a0",
	"\ufeff", "é\u0301",
	"no", "yes", "on", "off", "y", "null", "~", "true", "1e3", "0755", "0x1f", "1_000", "2001-02-03", "12:30:45",
	".inf", "- a", "a: b", "[a]", "{a}", "*a", "&a", "!a", "|", ">", "%", "@",
	"!", "a!b", "a;b", "a&b", "a|b", "*", "?", "~/x", "a b\tc", "\x01\x1b[31m\x7f",
	"-----BEGIN KEY-----\nAb+/=\n-----END KEY-----\n",
	"postgres://u:p%40ss@h:5432/db?sslmode=disable&x=y", strings.Repeat("long ", 2000), `{"a":"b"}`, "export A=b",
}

// thousand returns an object with 1,000 names. Each value is a text from awkward, or two of these texts
// joined.
func thousand() Value {
	var members []member
	for i := range 1000 {
		text := awkward[i%len(awkward)]
		if round := i / len(awkward); round > 0 {
			text += awkward[(i*7+round)%len(awkward)]
		}
		members = append(members, member{name: fmt.Sprintf("NAME_%d", i), value: Text(text)})
	}
	return object(members)
}

// TestBashReadsOutput lets bash read the formats dotenv and shell. bash must set each variable to its original value.
func TestBashReadsOutput(t *testing.T) {
	t.Parallel()
	value := thousand()
	want := stringsOf(t, value)
	for format, script := range map[Format]string{
		Dotenv: `set -a; . "$1"; set +a; exec env -0`,
		Shell:  `. "$1"; exec env -0`,
	} {
		t.Run(string(format), func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "values")
			require.NoError(t, os.WriteFile(file, written(t, format, value), 0o600))
			command := exec.Command("bash", "--norc", "-c", script, "bash", file)
			command.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8"}
			out, err := command.Output()
			require.NoError(t, err)
			got := map[string]string{}
			for pair := range strings.SplitSeq(string(out), "\x00") {
				if name, text, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "NAME_") {
					got[name] = text
				}
			}
			same(t, want, got)
		})
	}
}

// TestRoundTrip writes a value in each readable format and reads it back.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	value := thousand()
	for _, format := range []Format{Dotenv, JSON, YAML} {
		back, err := Read(format, written(t, format, value))
		require.NoError(t, err, format)
		same(t, stringsOf(t, value), stringsOf(t, back))
		assert.True(t, Compare(value, back).None())
	}
}

// TestKubernetesData reads a manifest with another YAML library and compares the values with the original ones.
func TestKubernetesData(t *testing.T) {
	t.Parallel()
	value := thousand()
	var secret struct {
		APIVersion, Kind, Type string
		Metadata               struct{ Name, Namespace string }
		Data                   map[string]string
	}
	text := written(t, Kubernetes, value)
	var loose map[string]any
	require.NoError(t, yaml.Unmarshal(text, &loose))
	strict, err := json.Marshal(loose)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(strict, &secret))
	assert.Equal(t, "v1 Secret Opaque app shop",
		strings.Join([]string{secret.APIVersion, secret.Kind, secret.Type, secret.Metadata.Name,
			secret.Metadata.Namespace}, " "))
	got := map[string]string{}
	for name, encoded := range secret.Data {
		text, err := base64.StdEncoding.DecodeString(encoded)
		require.NoError(t, err)
		got[name] = string(text)
	}
	same(t, stringsOf(t, value), got)
}

func written(t *testing.T, format Format, value Value) []byte {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, Write(&out, format, value, Options{Secret: Secret{Name: "app", Namespace: "shop"}}))
	return out.Bytes()
}

// same compares the two maps one name at a time, because a diff of a thousand values would be unreadable.
func same(t *testing.T, want, got map[string]string) {
	t.Helper()
	require.Len(t, got, len(want))
	for name, text := range want {
		require.Equal(t, text, got[name], name)
	}
}
