package style

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Files returns the paths of all files below root that have one of the given extensions, in lexical order. It omits
// generated files, built binaries, vendored modules and hidden folders.
func Files(root string, ext ...string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			hidden := strings.HasPrefix(name, ".") && path != root
			if hidden || name == "bin" || name == "vendor" || name == "node_modules" || name == "testdata" {
				return filepath.SkipDir
			}
			return nil
		}
		for _, each := range ext {
			if filepath.Ext(name) == each {
				files = append(files, path)
			}
		}
		return nil
	})
	return files, err
}

// IsTest reports whether a file contains test code. path is relative to the module's root.
func IsTest(path string) bool {
	return strings.HasSuffix(path, "_test.go") || strings.HasPrefix(filepath.ToSlash(path), "tests/")
}

// Words matches phrases that must not be used. The glossary in CONTRIBUTING.md lists the terms to use instead.
var Words = regexp.MustCompile(`(?i)\b(whoever|somebody|nobody|anybody|on record|passed over|the way of before|` +
	`what is asked|gatherer|whileWanted|isNobody|mayAsk|reasonAbout)\b`)

// account matches text in which a forbidden word is correct: the name of the operating system's user "nobody", and
// http.NoBody.
var account = regexp.MustCompile("\"nobody\"|`nobody`|nobody:|=nobody|user nobody|-u nobody|, nobody,|http\\.NoBody")

// Each match of Words contains at least one of the strings in fragments. BadWords first searches a line for these
// strings, because this is much faster than the regular expression.
var fragments = []string{"whoever", "body", "on record", "passed over", "the way of", "what is asked", "gatherer",
	"whilewanted", "mayask", "reasonabout"}

// BadWords returns "line: word" for each match of Words in text.
func BadWords(text string) []string {
	var found []string
	for number, line := range strings.Split(text, "\n") {
		lower := strings.ToLower(line)
		if !slices.ContainsFunc(fragments, func(part string) bool { return strings.Contains(lower, part) }) {
			continue
		}
		for _, word := range Words.FindAllString(account.ReplaceAllString(line, ""), -1) {
			found = append(found, fmt.Sprintf("%d: %s", number+1, word))
		}
	}
	return found
}

// Lines counts the lines of a Go source file that contain only a comment, and the lines that contain code. It counts no
// blank lines.
func Lines(source []byte) (comments, code int) {
	var s scanner.Scanner
	files := token.NewFileSet()
	file := files.AddFile("", files.Base(), len(source))
	s.Init(file, source, nil, scanner.ScanComments)
	kind := map[int]bool{} // by line: whether it holds code
	for {
		pos, tok, literal := s.Scan()
		if tok == token.EOF {
			break
		}
		if tok == token.SEMICOLON && literal == "\n" {
			continue
		}
		first := file.Line(pos)
		for line := first; line <= first+strings.Count(literal, "\n"); line++ {
			kind[line] = kind[line] || tok != token.COMMENT
		}
	}
	for _, isCode := range kind {
		if isCode {
			code++
		} else {
			comments++
		}
	}
	return comments, code
}

// maxFieldsPerLine is the maximum number of fields in a struct literal whose fields share lines.
const maxFieldsPerLine = 3

// Crowded returns the positions of struct literals that need more lines. Such a literal has more than three fields,
// names its fields, and has two of them on the same line.
func Crowded(path string) ([]string, error) {
	source, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	files := token.NewFileSet()
	tree, err := parser.ParseFile(files, path, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var found []string
	ast.Inspect(tree, func(node ast.Node) bool {
		literal, ok := node.(*ast.CompositeLit)
		if ok && len(literal.Elts) > maxFieldsPerLine && keyed(literal) && sharesLine(files, literal) {
			found = append(found, files.Position(literal.Pos()).String())
		}
		return true
	})
	return found, nil
}

// keyed reports whether all elements have the form Field: value.
func keyed(literal *ast.CompositeLit) bool {
	for _, element := range literal.Elts {
		pair, ok := element.(*ast.KeyValueExpr)
		if !ok {
			return false
		}
		if _, ok := pair.Key.(*ast.Ident); !ok {
			return false
		}
	}
	return true
}

// sharesLine reports whether any two elements of a literal begin on the same line.
func sharesLine(files *token.FileSet, literal *ast.CompositeLit) bool {
	last := 0
	for _, element := range literal.Elts {
		line := files.Position(element.Pos()).Line
		if line == last {
			return true
		}
		last = line
	}
	return false
}
