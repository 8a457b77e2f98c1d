package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// These packages hold the conformance suites of the ports. The storage suite is a table of tests: the name of each test
// is the name of a port, a slash, and more text. In package contracts, the suite of a port is the function with the
// port's name.
const (
	storageSuite  = "tests/storage"
	contractSuite = "tests/contracts"
)

// CheckInterfaces checks the interfaces in production code under root. It returns one sentence for each interface that
// breaks the following rule.
//
// An interface of package ports must have a suite that a test runs, or two implementations. Any other interface must
// have two implementations. The check counts a type as an implementation if any file contains a declaration such as:
//
//	var _ Port = (*implementation)(nil)
//
// The check compares names and needs no types. Interfaces that are type constraints are exempt.
func CheckInterfaces(root string) ([]string, error) {
	c := &interfaceCheck{asserted: map[string][]string{}, suites: map[string]bool{}}
	if err := walk(root, func(name string) error { return c.addFile(root, name) }); err != nil {
		return nil, err
	}
	slices.Sort(c.declared)
	var found []string
	for _, name := range c.declared {
		if c.suites[name] || len(c.asserted[name]) > 1 {
			continue
		}
		remedy := fmt.Sprintf("declare two implementations with \"var _ %s = …\", "+
			"or replace the interface with a func type or with the concrete type",
			path.Base(name))
		if port, ok := strings.CutPrefix(name, "ports."); ok {
			remedy = fmt.Sprintf("add the suite %s to %s and run it in the tests of the implementation, or %s", port,
				contractSuite, remedy)
		}
		found = append(found, "the interface "+name+" has no suite and no second implementation: "+remedy)
	}
	return found, nil
}

// interfaceCheck collects the names that CheckInterfaces compares. The name of a type consists of the path of its
// package inside the module, a dot, and the type's own name: "ports.TOTP". For a type of another module, the path is
// the import path.
type interfaceCheck struct {
	declared []string
	// asserted maps each interface to the implementations in declarations such as "var _ Interface = value".
	asserted map[string][]string
	// suites contains the names of the interfaces for which a test runs a suite.
	suites map[string]bool
}

// addFile adds the declarations, assertions and suites of a file.
func (c *interfaceCheck) addFile(root, name string) error {
	parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	relative, err := filepath.Rel(root, filepath.Dir(name))
	if err != nil {
		return err
	}
	file := sourceFile{dir: path.Clean(filepath.ToSlash(relative)), imports: map[string]string{}}
	for _, spec := range parsed.Imports {
		file.addImport(spec)
	}
	inTest := strings.HasSuffix(name, "_test.go")
	ast.Inspect(parsed, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.TypeSpec:
			if it, ok := node.Type.(*ast.InterfaceType); ok && !inTest && !isOrBelow(file.dir, "tests") &&
				!isConstraint(it) {
				c.declared = append(c.declared, file.dir+"."+node.Name.Name)
			}
		case *ast.ValueSpec:
			c.addAssertion(file, node)
		case *ast.CallExpr:
			if suite, ok := strings.CutPrefix(file.nameOf(node.Fun), contractSuite+"."); ok && inTest {
				c.suites["ports."+suite] = true
			}
		case *ast.KeyValueExpr:
			if literal, ok := node.Key.(*ast.BasicLit); ok && file.dir == storageSuite && !inTest {
				key, _ := strconv.Unquote(literal.Value)
				port, _, _ := strings.Cut(key, "/")
				c.suites["ports."+port] = true
			}
		}
		return true
	})
	return nil
}

// addAssertion adds the implementation that a declaration such as "var _ Interface = value" names. It ignores other
// declarations.
func (c *interfaceCheck) addAssertion(file sourceFile, spec *ast.ValueSpec) {
	if len(spec.Names) != 1 || spec.Names[0].Name != "_" || spec.Type == nil || len(spec.Values) != 1 {
		return
	}
	name, implementation := file.nameOf(spec.Type), file.nameOf(spec.Values[0])
	if !slices.Contains(c.asserted[name], implementation) {
		c.asserted[name] = append(c.asserted[name], implementation)
	}
}

// isConstraint reports whether an interface is a type constraint, such as ~int | ~string. Such an interface cannot be
// the type of a variable.
func isConstraint(it *ast.InterfaceType) bool {
	return slices.ContainsFunc(it.Methods.List, func(field *ast.Field) bool {
		switch field.Type.(type) {
		case *ast.BinaryExpr, *ast.UnaryExpr:
			return true
		}
		return false
	})
}

// sourceFile resolves the names in one file.
type sourceFile struct {
	dir     string
	imports map[string]string // keys are the names used in the file
}

// addImport adds an import. It assumes that the name of a package is the last element of its path. A version, such as
// v5, does not count as an element.
func (f sourceFile) addImport(spec *ast.ImportSpec) {
	imported, _ := strconv.Unquote(spec.Path.Value)
	name := path.Base(imported)
	if strings.HasPrefix(name, "v") && strings.Trim(name[1:], "0123456789") == "" {
		name = path.Base(path.Dir(imported))
	}
	if spec.Name != nil {
		name = spec.Name.Name
	}
	if own, ok := inModule(imported); ok {
		imported = own
	}
	f.imports[name] = imported
}

// nameOf returns the full name of the type or function T in an expression. The expression can be T, *T, T{}, &T{} or
// (*T)(nil).
func (f sourceFile) nameOf(expr ast.Expr) string {
	switch expr := expr.(type) {
	case *ast.Ident:
		return f.dir + "." + expr.Name
	case *ast.SelectorExpr:
		if of, ok := expr.X.(*ast.Ident); ok && f.imports[of.Name] != "" {
			return f.imports[of.Name] + "." + expr.Sel.Name
		}
	case *ast.ParenExpr:
		return f.nameOf(expr.X)
	case *ast.StarExpr:
		return f.nameOf(expr.X)
	case *ast.UnaryExpr:
		return f.nameOf(expr.X)
	case *ast.CompositeLit:
		return f.nameOf(expr.Type)
	case *ast.CallExpr:
		return f.nameOf(expr.Fun)
	}
	return f.dir + "." + types.ExprString(expr)
}
