package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/api"
)

// TestPageIsUpToDate generates the page and verifies that docs.html is the same. A difference means that docs.html is
// older than openapi.yaml or the layout.
func TestPageIsUpToDate(t *testing.T) {
	t.Parallel()
	page := filepath.Join(t.TempDir(), "docs.html")
	require.NoError(t, run("../openapi.yaml", page))
	made, err := os.ReadFile(page)
	require.NoError(t, err)
	require.True(t, string(made) == string(api.Page), "api/docs.html is out of date: run go generate ./api")
}

// TestInvalidDescriptions checks that no page is written for an invalid description.
func TestInvalidDescriptions(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"no YAML":   "{",
		"nothing":   "",
		"no tag":    "tags: [{name: Start}]\npaths: {/a: {get: {operationId: a}}}",
		"a new tag": "tags: [{name: Start}]\npaths: {/a: {get: {operationId: a, tags: [End]}}}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			description := filepath.Join(t.TempDir(), "openapi.yaml")
			require.NoError(t, os.WriteFile(description, []byte(text), 0o600))
			page := filepath.Join(t.TempDir(), "docs.html")
			require.Error(t, run(description, page))
			require.NoFileExists(t, page)
		})
	}
	require.Error(t, run(filepath.Join(t.TempDir(), "none.yaml"), ""))
}
