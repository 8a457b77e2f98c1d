//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/api"
)

// generators maps each client generator to its commands. The commands generate code from openapi.yaml with the default
// settings and compile the code. The files in testdata/generators fix the versions of the npm packages and Go modules
// that the generated code imports.
var generators = map[string][]string{
	"oapi-codegen": {
		"go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2 -package generated -o generated.go " +
			"openapi.yaml",
		"go vet -mod=mod .",
	},
	"openapi-typescript": {
		"npm ci --no-audit --no-fund --ignore-scripts",
		"node_modules/.bin/openapi-typescript openapi.yaml --output generated.d.ts",
		"node_modules/.bin/tsc --noEmit --strict --target es2022 --module nodenext generated.d.ts",
	},
	"openapi-ts": {
		"npm ci --no-audit --no-fund --ignore-scripts",
		"node_modules/.bin/openapi-ts --input openapi.yaml --output generated",
		"node_modules/.bin/tsc --noEmit --strict --target es2022 --module nodenext --lib es2022,dom,dom.iterable " +
			"generated/*.ts",
	},
}

// TestGenerators verifies that common code generators accept the API description and that the generated code
// compiles.
func TestGenerators(t *testing.T) {
	t.Parallel()
	for name, commands := range generators {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			require.NoError(t, os.CopyFS(dir, os.DirFS("testdata/generators")))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "openapi.yaml"), api.Description, 0o600))
			for _, line := range commands {
				command := exec.CommandContext(t.Context(), "bash", "-c", line)
				command.Dir = dir
				out, err := command.CombinedOutput()
				require.NoError(t, err, "%s\n%s", line, out)
			}
		})
	}
}
