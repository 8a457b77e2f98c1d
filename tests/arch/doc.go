// Package arch holds the rules of who may import whom, and the test that
// enforces them over every file of the module.
//
// The rules are two tables in policy.go: what each package may import of the
// module, and where each third-party library may appear at all. A package that
// no rule speaks of is a violation too, so a new room is a decision and not an
// accident. The linter repeats the coarse part of this (depguard in
// .golangci.yml) so that an editor shows it; this package is the authority.
package arch
