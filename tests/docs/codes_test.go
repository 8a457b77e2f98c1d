package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// statusOf maps each kind of error to its HTTP status; "0" stands for an unexpected error.
var statusOf = map[string]string{
	"Invalid": "400", "Unauthenticated": "401", "Forbidden": "403", "NotFound": "404", "Conflict": "409",
	"Precondition": "412", "TooLarge": "413", "Unsupported": "415", "RateLimited": "429", "Unavailable": "503",
	"0": "500",
}

// statusWithoutKind maps error codes of the HTTP layer to their HTTP statuses. No kind of error has one of these
// statuses.
var statusWithoutKind = map[string]string{
	"method_not_allowed": "405", "expectation_failed": "417", "header_too_large": "431", "client_closed_request": "499",
	"condition_required": "428", "unsupported_transfer_encoding": "501", "unsupported_http_version": "505",
}

// refusals contains the names of the functions in package domain that create an error with a code.
var refusals = []string{"Refuse", "InvalidField"}

// codesIn finds each error code and its HTTP status by parsing the server's source code. A code is the argument of
// Refuse or InvalidField, or the field Code of an Error. It can be a literal, a constant, or a concatenation of
// literals and parameters. To find the values of a parameter, codesIn inspects all callers in the same package.
func codesIn(t *testing.T, root string) map[string]string {
	t.Helper()
	codes := map[string]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		if name := entry.Name(); path != root &&
			(name == "tests" || name == "testdata" || name == "vendor" || strings.HasPrefix(name, ".")) {
			return filepath.SkipDir
		}
		if path == filepath.Join(root, "client") {
			return filepath.SkipDir // the client repeats the server's codes and detects some errors itself
		}
		p := load(t, path)
		for _, file := range p.files {
			for _, declaration := range file.Decls {
				p.collect(declaration, codes)
			}
		}
		return nil
	})
	require.NoError(t, err)
	require.NotEmpty(t, codes)
	for code, status := range statusWithoutKind {
		require.Contains(t, codes, code)
		codes[code] = status
	}
	return codes
}

// source holds the parsed files of one folder.
type source struct {
	t         *testing.T
	positions *token.FileSet
	files     []*ast.File
	constants map[string]string
}

func load(t *testing.T, dir string) *source {
	t.Helper()
	p := &source{t: t, positions: token.NewFileSet(), constants: map[string]string{}}
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(p.positions, path, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		p.files = append(p.files, file)
		ast.Inspect(file, func(node ast.Node) bool {
			if spec, ok := node.(*ast.ValueSpec); ok {
				for i, name := range spec.Names {
					if i < len(spec.Values) {
						if text, ok := literal(spec.Values[i]); ok {
							p.constants[name.Name] = text
						}
					}
				}
			}
			return true
		})
	}
	return p
}

// collect adds the codes in one declaration.
func (p *source) collect(declaration ast.Decl, codes map[string]string) {
	within, _ := declaration.(*ast.FuncDecl)
	if within != nil && slices.Contains(refusals, within.Name.Name) {
		return
	}
	ast.Inspect(declaration, func(node ast.Node) bool {
		kind, code := "Invalid", ast.Expr(nil)
		switch node := node.(type) {
		case *ast.CallExpr:
			switch nameOf(node.Fun) {
			case "Refuse":
				kind, code = nameOf(node.Args[0]), node.Args[1]
			case "InvalidField":
				code = node.Args[1]
			}
		case *ast.CompositeLit:
			if nameOf(node.Type) != "Error" {
				break
			}
			for _, element := range node.Elts {
				switch pair := element.(*ast.KeyValueExpr); nameOf(pair.Key) {
				case "Kind":
					kind = nameOf(pair.Value)
				case "Code":
					code = pair.Value
				}
			}
		}
		if code == nil {
			return true
		}
		status, known := statusOf[kind]
		require.True(p.t, known, "%s: the kind %q is unknown", p.positions.Position(node.Pos()), kind)
		for _, text := range p.texts(code, within) {
			if other, twice := codes[text]; twice {
				require.Equal(p.t, other, status, "the code %s has two statuses", text)
			}
			codes[text] = status
		}
		return true
	})
}

// texts returns the possible values of a string expression. within is the function that contains the expression.
func (p *source) texts(of ast.Expr, within *ast.FuncDecl) []string {
	switch of := of.(type) {
	case *ast.BasicLit:
		text, _ := literal(of)
		return []string{text}
	case *ast.BinaryExpr:
		var joined []string
		for _, left := range p.texts(of.X, within) {
			for _, right := range p.texts(of.Y, within) {
				joined = append(joined, left+right)
			}
		}
		return joined
	case *ast.Ident:
		if index := parameter(within, of.Name); index >= 0 {
			return p.arguments(within.Name.Name, index)
		}
		if text, ok := p.constants[of.Name]; ok {
			return []string{text}
		}
	}
	require.Fail(p.t, "a code that cannot be told from the source", "%s", p.positions.Position(of.Pos()))
	return nil
}

// arguments returns the possible values of a function's parameter: the arguments in all calls in the package.
func (p *source) arguments(function string, index int) []string {
	var texts []string
	for _, file := range p.files {
		for _, declaration := range file.Decls {
			within, _ := declaration.(*ast.FuncDecl)
			ast.Inspect(declaration, func(node ast.Node) bool {
				if call, ok := node.(*ast.CallExpr); ok && nameOf(call.Fun) == function {
					texts = append(texts, p.texts(call.Args[index], within)...)
				}
				return true
			})
		}
	}
	return texts
}

// parameter returns the index of a named parameter, or -1.
func parameter(of *ast.FuncDecl, name string) int {
	index := 0
	if of != nil {
		for _, field := range of.Type.Params.List {
			for _, each := range field.Names {
				if each.Name == name {
					return index
				}
				index++
			}
		}
	}
	return -1
}

func literal(of ast.Expr) (string, bool) {
	basic, ok := of.(*ast.BasicLit)
	if !ok || basic.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(basic.Value)
	return text, err == nil
}

// nameOf returns the last part of a name, such as Refuse in domain.Refuse. For a literal, it returns the source text.
func nameOf(of ast.Expr) string {
	switch of := of.(type) {
	case *ast.Ident:
		return of.Name
	case *ast.SelectorExpr:
		return of.Sel.Name
	case *ast.BasicLit:
		return of.Value
	default:
		return ""
	}
}
