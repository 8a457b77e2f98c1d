package arch

import (
	"fmt"
	"slices"
	"strings"
)

// Package is a package of the module with the imports of its files.
type Package struct {
	// Path is the path inside the module; "." is the root.
	Path string
	// Imports are the full import paths in production files.
	Imports []string
	// TestImports are the full import paths in _test.go files of internal and external tests.
	TestImports []string
}

// Check returns the violations of the policy: one sentence for each forbidden import. The sentences are in the order of
// the packages.
func Check(packages []Package) []string {
	var found []string
	for _, p := range packages {
		rule, ok := ruleFor(policy, p.Path)
		if !ok {
			found = append(found, fmt.Sprintf("%s: tests/arch/policy.go has no rule for this package", p.Path))
			continue
		}
		for _, imported := range p.Imports {
			if why := forbidden(p.Path, rule, imported); why != "" {
				found = append(found, fmt.Sprintf("%s imports %s: %s", p.Path, imported, why))
			}
		}
		for _, imported := range p.TestImports {
			if why := forbiddenInTest(p.Path, rule, imported); why != "" {
				found = append(found, fmt.Sprintf("a test of %s imports %s: %s", p.Path, imported, why))
			}
		}
	}
	return found
}

// forbidden returns the reason why a package must not import a path, or "" if the import is allowed.
func forbidden(pkg string, rule Rule, imported string) string {
	if own, ok := inModule(imported); ok {
		if sameRoom(pkg, own) || matchesAny(rule.May, own) {
			return ""
		}
		return allowance(rule)
	}
	if rule.Libraries == StandardOnly && !standard(imported) {
		return "this package may import only the standard library"
	}
	return unconfined(pkg, imported, false)
}

// forbiddenInTest is like forbidden, but for an import in the _test.go files of a package.
func forbiddenInTest(pkg string, rule Rule, imported string) string {
	if slices.ContainsFunc(testLibraries, func(lib string) bool { return isOrBelow(imported, lib) }) {
		return ""
	}
	more, _ := ruleFor(testsOf, pkg)
	if own, ok := inModule(imported); ok && (own == pkg || matchesAny(more.May, own)) {
		return ""
	}
	if _, ok := inModule(imported); !ok && more.Libraries == ThirdParty {
		return unconfined(pkg, imported, true)
	}
	return forbidden(pkg, rule, imported)
}

// unconfined returns the reason why a package must not import a library, or "" if the import is allowed.
func unconfined(pkg, imported string, inTest bool) string {
	for _, c := range confined {
		if !isOrBelow(imported, c.Library) || matchesAny(c.To, pkg) || (inTest && c.InTests) {
			continue
		}
		if len(c.To) == 0 {
			return c.Library + " is not used in this module"
		}
		return c.Library + " stays inside " + strings.Join(c.To, ", ")
	}
	return ""
}

// sameRoom reports whether two packages belong to the same adapter, to the same command, or to the client. An adapter,
// a command or the client can consist of several packages that import each other.
func sameRoom(a, b string) bool {
	room := func(path string) string {
		parts := strings.SplitN(path, "/", 3)
		switch {
		case parts[0] == "client":
			return parts[0]
		case len(parts) > 1 && (parts[0] == "adapters" || parts[0] == "cmd"):
			return parts[0] + "/" + parts[1]
		}
		return ""
	}
	return room(a) != "" && room(a) == room(b)
}

// allowance describes the imports that a rule allows.
func allowance(rule Rule) string {
	if len(rule.May) == 0 {
		return "it may import no other package of the module"
	}
	return "within the module, it may import only " + strings.Join(rule.May, ", ")
}

// ruleFor returns the first rule that matches a package.
func ruleFor(rules []Rule, pkg string) (Rule, bool) {
	for _, r := range rules {
		if matches(r.Packages, pkg) {
			return r, true
		}
	}
	return Rule{}, false
}

func matchesAny(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, path) })
}

// The matches function reports whether a path inside the module matches a pattern of a Rule.
func matches(pattern, path string) bool {
	if pattern == "..." {
		return true
	}
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return isOrBelow(path, base)
	}
	if base, ok := strings.CutSuffix(pattern, "/*"); ok {
		rest, below := strings.CutPrefix(path, base+"/")
		return below && rest != "" && !strings.Contains(rest, "/")
	}
	return pattern == path
}

// isOrBelow reports whether path is base or is under it. For example, "a/v5" is under "a", but "ab" is not.
func isOrBelow(path, base string) bool {
	return path == base || strings.HasPrefix(path, base+"/")
}

// inModule converts an import path to a path inside the module. For a package of another module, ok is false.
func inModule(imported string) (path string, ok bool) {
	if imported == Module {
		return ".", true
	}
	return strings.CutPrefix(imported, Module+"/")
}

// standard reports whether an import path belongs to the standard library. Such a path has no dot in its first
// element.
func standard(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".") && imported != "C"
}
