package arch_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/tests/arch"
)

// TestImportRules verifies that the imports of the module follow the policy.
func TestImportRules(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	packages, err := arch.Load(root)
	require.NoError(t, err)

	paths := map[string]bool{}
	for _, p := range packages {
		paths[p.Path] = true
	}
	// If root were wrong, Check would get no packages and find no violation.
	for _, room := range []string{"domain", "ports", "domain/identity", "domain/vault", "adapters/httpapi",
		"adapters/postgres"} {
		assert.True(t, paths[room], "%s was not found: is the module's root %s?", room, root)
	}
	for _, violation := range arch.Check(packages) {
		t.Error(violation)
	}
}

// TestPolicyCatches verifies that Check reports forbidden imports and accepts allowed ones.
func TestPolicyCatches(t *testing.T) {
	t.Parallel()
	const (
		mod    = arch.Module + "/"
		pgx    = "github.com/jackc/pgx/v5"
		echo   = "github.com/labstack/echo/v4"
		docker = "github.com/moby/moby/client"
	)
	for _, c := range []struct {
		pkg, imports string
		allowed      bool
	}{
		{"domain", "errors", true},
		{"domain", pgx, false},
		{"domain", "github.com/google/uuid", false},
		{"domain", "golang.org/x/sync/errgroup", false},
		{"domain", "database/sql", false},
		{"domain", mod + "ports", false},
		{"domain", mod + "domain/vault", false},
		{"domain", mod + "adapters/postgres", false},

		{"ports", mod + "domain", true},
		{"ports", mod + "domain/identity", false},
		{"ports", pgx, false},

		{"domain/identity", mod + "domain", true},
		{"domain/identity", mod + "ports", true},
		{"domain/identity", mod + "domain/gate", true},
		{"domain/gate", mod + "domain", true},
		{"domain/gate", mod + "ports", true},
		{"domain/gate", mod + "domain/identity", false},
		{"domain", mod + "domain/gate", false},
		{"domain/identity", mod + "domain/vault", false},
		{"domain/vault", mod + "domain/identity", false},
		{"domain/droplets", mod + "domain/vault", false},
		{"domain/serverkeys", mod + "domain/identity", false},
		{"domain/vault", mod + "adapters/postgres", false},
		{"domain/vault", "github.com/google/uuid", false},

		{"adapters/httpapi", mod + "domain/vault", true},
		{"adapters/httpapi", mod + "domain/gate", false},
		{"adapters/httpapi", mod + "ports", true},
		{"adapters/httpapi", echo, true},
		{"adapters/httpapi", pgx, false},
		{"adapters/httpapi", mod + "adapters/postgres", false},
		{"adapters/httpapi", mod + "cmd/boot", false},

		{"adapters/postgres", mod + "ports", true},
		{"adapters/postgres", mod + "migrations", true},
		{"adapters/postgres", pgx + "/pgxpool", true},
		{"adapters/postgres", mod + "domain/vault", false},
		{"adapters/postgres", mod + "adapters/localpg", false},
		{"adapters/postgres", echo, false},
		{"adapters/postgres", mod + "tests/pgtest", false},
		{"adapters/postgres/batch", mod + "domain", true},
		{"adapters/postgres/batch", pgx, false},
		{"adapters/postgres/migrate", pgx, true},
		{"adapters/postgres/migrate", "github.com/golang-migrate/migrate/v4", true},
		{"adapters/postgres", "github.com/golang-migrate/migrate/v4", false},
		{"adapters/localpg", pgx, true},
		{"adapters/localpg", mod + "adapters/postgres", false},
		{"adapters/sealing", "golang.org/x/crypto/argon2", true},
		{"adapters/sealing", mod + "adapters/kdf", false},
		{"adapters/sealing", pgx, false},
		{"adapters/docker", docker, true},
		{"adapters/docker/engine", docker, true},
		{"adapters/postgres", docker, false},
		{"adapters/postgres/sqltext", mod + "adapters/postgres/rows", true},

		{"cmd/boot", mod + "adapters/postgres", true},
		{"cmd/boot", mod + "domain/vault", true},
		{"cmd/boot", mod + "cmd/lockbox", false},
		{"cmd/boot", mod + "tests/pgtest", false},
		{"cmd/boot", pgx, false},
		{"cmd/boot", "github.com/stretchr/testify/require", false},
		{"cmd/lockbox", mod + "cmd/boot", true},
		{"cmd/lockbox", mod + "tests/pgtest", false},

		{"client", "net/http", true},
		{"client", mod + "client/wire", true},
		{"client", mod + "domain", false},
		{"client", "github.com/google/uuid", false},
		{"client", "golang.org/x/crypto/argon2", false},
		{"client/keys", mod + "client", true},
		{"client/keys", "golang.org/x/crypto/argon2", true},
		{"client/keys", mod + "domain", false},
		{"client/keys", "github.com/spf13/cobra", false},
		{"cmd/lockbox/terminal", mod + "client/keys", true},

		{"tests/e2e", mod + "cmd/boot", true},
		{"tests/pgtest", mod + "adapters/localpg", true},
		{"tests/pgtest", pgx, true},
		{"tests/e2e", echo, false},

		{"util", "errors", false},
	} {
		got := arch.Check([]arch.Package{{Path: c.pkg, Imports: []string{c.imports}}})
		if c.allowed {
			assert.Empty(t, got, "%s → %s", c.pkg, c.imports)
		} else {
			assert.NotEmpty(t, got, "%s → %s must be refused", c.pkg, c.imports)
		}
	}
}

// TestPolicyOfTests verifies that Check reports forbidden imports in _test.go files and accepts allowed ones.
func TestPolicyOfTests(t *testing.T) {
	t.Parallel()
	const mod = arch.Module + "/"
	for _, c := range []struct {
		pkg, imports string
		allowed      bool
	}{
		{"domain", mod + "domain", true},
		{"domain", "pgregory.net/rapid", true},
		{"domain", "github.com/jackc/pgx/v5", false},
		{"domain", mod + "adapters/postgres", false},
		{"domain/vault", "github.com/stretchr/testify/require", true},
		{"domain/vault", mod + "tests/pgtest", true},
		{"domain/vault", mod + "adapters/postgres", true},
		{"domain/vault", mod + "domain/identity", false},
		{"domain/vault", "github.com/jackc/pgx/v5", false},
		{"adapters/postgres", mod + "tests/pgtest", true},
		{"adapters/sealing", "github.com/jackc/pgx/v5", false},
		{"cmd/lockbox", mod + "tests/pgtest", true},
		{"cmd/lockbox", mod + "cmd/boot", true},
		{"cmd/lockbox", "github.com/labstack/echo/v4", false},
	} {
		got := arch.Check([]arch.Package{{Path: c.pkg, TestImports: []string{c.imports}}})
		if c.allowed {
			assert.Empty(t, got, "a test of %s → %s", c.pkg, c.imports)
		} else {
			assert.NotEmpty(t, got, "a test of %s → %s must be refused", c.pkg, c.imports)
		}
	}
}

// TestLoadSeesEveryFile verifies that Load finds an import behind a build tag. Load must skip other modules and ignored
// folders.
func TestLoadSeesEveryFile(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	write := func(name, text string) {
		name = filepath.Join(root, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o750))
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	}
	write("go.mod", "module "+arch.Module+"\n")
	write("domain/user.go", "package domain\n\nimport _ \"errors\"\n")
	write("domain/user_plan9.go", "//go:build never\n\npackage domain\n\nimport _ \"github.com/jackc/pgx/v5\"\n")
	write("domain/user_test.go", "package domain_test\n\nimport _ \"testing\"\n")
	write("domain/testdata/x.go", "package x\n\nimport _ \"github.com/jackc/pgx/v5\"\n")
	write("other/go.mod", "module other\n")
	write("other/x.go", "package x\n\nimport _ \"github.com/jackc/pgx/v5\"\n")
	write(".cache/x.go", "not Go at all")

	packages, err := arch.Load(root)
	require.NoError(t, err)
	assert.Equal(t, []arch.Package{{
		Path:        "domain",
		Imports:     []string{"errors", "github.com/jackc/pgx/v5"},
		TestImports: []string{"testing"},
	}}, packages)
	violations := arch.Check(packages)
	require.Len(t, violations, 1)
	assert.True(t, strings.HasPrefix(violations[0], "domain imports github.com/jackc/pgx/v5:"), violations[0])
}
