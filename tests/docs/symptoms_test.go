package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestTroubleshootingQuotesMessages checks the texts in double quotes in the first column of the page's tables. Each of
// them must be a part of a message in the source code. A reader who searches the page for a message then finds its row.
// Messages of other programs are in backticks.
func TestTroubleshootingQuotesMessages(t *testing.T) {
	t.Parallel()
	messages := strings.Join(literalsIn(t, root), "\n")
	quoted := regexp.MustCompile(`"([^"]+)"`)
	found := 0
	for _, row := range rows(t, "docs/troubleshooting.md", "[^|\n]*\"[^|\n]*") {
		for _, match := range quoted.FindAllStringSubmatch(cells(row)[0], -1) {
			found++
			assert.Contains(t, messages, strings.ReplaceAll(match[1], "`", ""), "no message contains this text")
		}
	}
	require.Greater(t, found, 50, "texts in quotes")
}

// literalsIn returns the string literals of the production code below a folder. A concatenation of literals is one
// literal. Backticks are removed.
func literalsIn(t *testing.T, folder string) []string {
	t.Helper()
	var texts []string
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := entry.Name(); entry.IsDir() && path != folder &&
			(name == "tests" || name == "testdata" || strings.HasPrefix(name, ".")) {
			return filepath.SkipDir
		}
		if entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(node ast.Node) bool {
			expression, ok := node.(ast.Expr)
			if !ok {
				return true
			}
			if text, ok := textOf(expression); ok {
				texts = append(texts, strings.ReplaceAll(text, "`", ""))
			}
			return true
		})
		return nil
	})
	require.NoError(t, err)
	return texts
}

// textOf returns the value of a string literal or of a concatenation. A part that is not constant becomes a line break.
// For other expressions, textOf returns false.
func textOf(expression ast.Expr) (string, bool) {
	switch expression := expression.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(expression.Value)
		return text, expression.Kind == token.STRING && err == nil
	case *ast.BinaryExpr:
		left, isLeft := textOf(expression.X)
		right, isRight := textOf(expression.Y)
		if expression.Op != token.ADD || (!isLeft && !isRight) {
			return "", false
		}
		if !isLeft {
			left = "\n"
		}
		if !isRight {
			right = "\n"
		}
		return left + right, true
	}
	return "", false
}
