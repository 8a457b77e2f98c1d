package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/api"
)

// TestThePageIsOfThisDescription fails when openapi.yaml or the layout was changed and the page was not made anew.
func TestThePageIsOfThisDescription(t *testing.T) {
	t.Parallel()
	page := filepath.Join(t.TempDir(), "docs.html")
	require.NoError(t, run("../openapi.yaml", page))
	made, err := os.ReadFile(page)
	require.NoError(t, err)
	require.True(t, string(made) == string(api.Page), "api/docs.html is not what go generate ./api makes: run it")
}
