package arch

import (
	"cmp"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Load reads the imports of every Go file under root. It ignores build constraints, because a build tag must not
// disable a rule. It reads the files itself and does not call the go command. The test cache records the files that a
// test itself reads, so the test runs again when one of these files changes.
func Load(root string) ([]Package, error) {
	found := map[string]*Package{}
	if err := walk(root, func(name string) error { return addFile(found, root, name) }); err != nil {
		return nil, err
	}
	packages := make([]Package, 0, len(found))
	for _, p := range found {
		slices.Sort(p.Imports)
		slices.Sort(p.TestImports)
		p.Imports = slices.Compact(p.Imports)
		p.TestImports = slices.Compact(p.TestImports)
		packages = append(packages, *p)
	}
	slices.SortFunc(packages, func(a, b Package) int { return cmp.Compare(a.Path, b.Path) })
	return packages, nil
}

// walk calls visit with the path of every Go file of the module at root.
func walk(root string, visit func(name string) error) error {
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name != root && (ignored(entry.Name()) || isModule(name)) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		return visit(name)
	})
	if err != nil {
		return fmt.Errorf("read the module: %w", err)
	}
	return nil
}

// ignored reports whether the go command ignores a folder with the given name.
func ignored(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") ||
		name == "testdata" || name == "vendor" || name == "node_modules"
}

// isModule reports whether a folder is the root of another module.
func isModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

// addFile adds the imports of a file to its package.
func addFile(found map[string]*Package, root, name string) error {
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
	if err != nil {
		return err
	}
	relative, err := filepath.Rel(root, filepath.Dir(name))
	if err != nil {
		return err
	}
	dir := path.Clean(filepath.ToSlash(relative))
	p := found[dir]
	if p == nil {
		p = &Package{Path: dir}
		found[dir] = p
	}
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		if strings.HasSuffix(name, "_test.go") {
			p.TestImports = append(p.TestImports, imported)
		} else {
			p.Imports = append(p.Imports, imported)
		}
	}
	return nil
}
