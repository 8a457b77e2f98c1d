package client_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func page(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../docs/go.md")
	require.NoError(t, err)
	return string(text)
}

// TestThePagesProgram compiles the program in docs/go.md and runs it against the real server.
func TestThePagesProgram(t *testing.T) {
	t.Parallel()
	_, rest, found := strings.Cut(page(t), "```go\npackage main\n")
	program, _, ended := strings.Cut(rest, "```")
	require.True(t, found && ended, "docs/go.md has no program")
	file := filepath.Join(t.TempDir(), "main.go")
	require.NoError(t, os.WriteFile(file, []byte("package main\n"+program), 0o600))
	command := exec.CommandContext(t.Context(), "go", "run", file) // run inside the module, where the import resolves
	out, err := command.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Equal(t, "connecting to db.example.org\n", string(out))
}

// TestPageNamesExistingIdentifiers checks that the package declares every identifier that docs/go.md names.
func TestPageNamesExistingIdentifiers(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "doc", "-all", ".").CombinedOutput()
	require.NoError(t, err)
	names := regexp.MustCompile(`(?:client\.|\bc\.)([A-Z]\w+)|\b(Err[A-Z]\w+)`).FindAllStringSubmatch(page(t), -1)
	require.Greater(t, len(names), 20)
	for _, name := range names {
		assert.Regexp(t, `(?m)^(func (\(.*\) )?|type |\s+(var )?|const )`+name[1]+name[2]+`\b`, string(out))
	}
}
