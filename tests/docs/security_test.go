package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// byDefinition marks a row of SECURITY.md that only states what an attacker can do. Such a row makes no promise, so no
// test can check it.
const byDefinition = "by definition"

// maxByDefinition is the maximum number of rows that may be marked with byDefinition.
const maxByDefinition = 4

// TestSecurityTablesNameTheirTests verifies that every row of every table in SECURITY.md names tests in the column
// "Proved by", and that these tests exist.
func TestSecurityTablesNameTheirTests(t *testing.T) {
	t.Parallel()
	existing := testNames(t)
	unproved, tables := 0, 0
	for _, table := range regexp.MustCompile(`(?m)(?:^\|.*\n)+`).FindAllString(page(t, "SECURITY.md"), -1) {
		tables++
		lines := strings.Split(strings.TrimSpace(table), "\n")
		header := cells(lines[0])
		require.Equal(t, "Proved by", header[len(header)-1], lines[0])
		for _, line := range lines[2:] {
			found := regexp.MustCompile(`^\| (.*?) \|.*\| ([^|]+) \|$`).FindStringSubmatch(line)
			require.NotNil(t, found, line)
			if found[2] == byDefinition {
				unproved++
				continue
			}
			for name := range strings.SplitSeq(found[2], ", ") {
				assert.Regexp(t, "^`Test[A-Z][A-Za-z0-9]*`$", name, found[1])
				assert.Contains(t, existing, strings.Trim(name, "`"), found[1])
			}
		}
	}
	assert.GreaterOrEqual(t, tables, 5)
	assert.LessOrEqual(t, unproved, maxByDefinition, "a new row needs a test")
}

// testNames returns the names of all tests of the repository, including tests behind build tags.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names, declared := map[string]bool{}, regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9_]*)\(t \*testing\.T\)`)
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && path != root {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		for _, found := range declared.FindAllSubmatch(text, -1) {
			names[string(found[1])] = true
		}
		return err
	}))
	return names
}
