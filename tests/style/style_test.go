package style_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/tests/style"
)

const root = "../.."

// relative converts a path to a path relative to the module's root.
func relative(t *testing.T, path string) string {
	t.Helper()
	short, err := filepath.Rel(root, path)
	require.NoError(t, err)
	return short
}

// TestPlainWords verifies that code, comments, messages and pages use the terms of the glossary.
func TestPlainWords(t *testing.T) {
	t.Parallel()
	paths, err := style.Files(root, ".go", ".md", ".yaml", ".yml", ".gohtml", ".sql", ".txtar")
	require.NoError(t, err)
	require.Greater(t, len(paths), 400, "the repository was not found")
	for _, path := range paths {
		short := relative(t, path)
		// The glossary and this package must contain the forbidden words.
		if short == "CONTRIBUTING.md" || filepath.Dir(short) == filepath.Join("tests", "style") {
			continue
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, found := range style.BadWords(string(text)) {
			t.Errorf("%s:%s: see the glossary in CONTRIBUTING.md", short, found)
		}
	}
}

// TestShareOfComments verifies that production code has at least 18 lines of comments per 100 lines of code.
func TestShareOfComments(t *testing.T) {
	t.Parallel()
	paths, err := style.Files(root, ".go")
	require.NoError(t, err)
	comments, code := 0, 0
	for _, path := range paths {
		if style.IsTest(relative(t, path)) {
			continue
		}
		source, err := os.ReadFile(path)
		require.NoError(t, err)
		inComments, inCode := style.Lines(source)
		comments, code = comments+inComments, code+inCode
	}
	require.Greater(t, code, 10_000, "the repository was not found")
	share := float64(comments) / float64(code)
	t.Logf("%d lines of comments, %d of code: %.3f", comments, code, share)
	assert.GreaterOrEqual(t, share, 0.18)
}

// TestFieldsPerLine verifies that a struct literal with more than three fields has one line per field.
func TestFieldsPerLine(t *testing.T) {
	t.Parallel()
	paths, err := style.Files(root, ".go")
	require.NoError(t, err)
	for _, path := range paths {
		found, err := style.Crowded(path)
		require.NoError(t, err)
		for _, position := range found {
			t.Errorf("%s: a struct literal with more than three fields needs one line per field", position)
		}
	}
}

// TestChecksFail verifies that each check reports a violation.
func TestChecksFail(t *testing.T) {
	t.Parallel()
	assert.Equal(t, []string{"2: Whoever", "2: on record"},
		style.BadWords("// a member\n// Whoever reads is on record."))
	assert.Empty(t, style.BadWords(`run as the user nobody, lookup("nobody")`))

	comments, code := style.Lines([]byte("package p\n\n// A\n// B\nvar x = `a\nb` // C\n"))
	assert.Equal(t, [2]int{2, 3}, [2]int{comments, code})

	path := filepath.Join(t.TempDir(), "p.go")
	for text, count := range map[string]int{
		"var x = T{A: 1, B: 2, C: 3}":                     0,
		"var x = T{A: 1, B: 2, C: 3, D: 4}":               1,
		"var x = T{\nA: 1,\nB: 2,\nC: 3,\nD: 4,\n}":       0,
		"var x = map[string]int{\"a\": 1, \"b\": 2}":      0,
		"var x = []int{1, 2, 3, 4, 5}":                    0,
		"var x = []T{{A: 1, B: 2, C: 3, D: 4}, {A: 1}}":   1,
		"var x = T{A: T{A: 1, B: 2, C: 3, D: 4}, B: nil}": 1,
	} {
		require.NoError(t, os.WriteFile(path, []byte("package p\n"+text), 0o600))
		found, err := style.Crowded(path)
		require.NoError(t, err)
		assert.Len(t, found, count, text)
	}
}
