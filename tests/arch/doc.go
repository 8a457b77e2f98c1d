// Package arch holds the import rules of the module, and the test that enforces them over every file.
//
// The rules are tables in policy.go: what each package may import of the module, and where each third-party library may
// be used. A package without a rule is a violation, so that a new package is a deliberate decision. The linter repeats
// the coarse part of the rules (depguard in .golangci.yml) for editors; this package is the authority.
package arch
