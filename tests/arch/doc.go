// Package arch holds the module's rules for imports and interfaces. Its tests enforce the rules in every file.
//
// The rules are tables in policy.go. They list the packages of the module that each package may import, and the
// packages that may use each third-party library. A package without a rule is a violation, so a new package is never
// added by accident. The linter depguard checks a simplified copy of the rules, in .golangci.yml, so that editors can
// show violations. If the copy and this package differ, change the copy.
//
// An interface must have a conformance suite or a second implementation; see CheckInterfaces.
package arch
