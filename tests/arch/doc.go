// Package arch holds the import rules of the module and its rule for interfaces, and the tests that enforce them over
// every file.
//
// The rules are tables in policy.go. They list the packages of the module that each package may import, and the
// packages that may use each third-party library. A package without a rule is a violation, so that a new package is a
// deliberate decision. The linter repeats the coarse part of the rules (depguard in .golangci.yml) for editors; this
// package is the authority.
//
// An interface needs a second reason to exist: a conformance suite or a second implementation; see CheckInterfaces.
package arch
