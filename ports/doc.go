// Package ports declares what the use cases need from the outside: storage, sealing, password hashing, tokens, a
// droplet host, a clock.
//
// It contains interfaces and the types of their arguments and results. An interface comment is a contract: it states
// the errors that a caller may test for, which methods block, and which may run inside a transaction. Methods return
// other errors only when the adapter fails; the response is then a 500 with a fixed text.
//
// Use cases must not import adapters, so every dependency of a use case is declared here, including those with a single
// implementation in production. Every interface has a conformance suite. Every implementation must pass the suite, and
// so must every test double. The suites of the storage ports are in tests/storage, and the suites of the other ports
// are in tests/contracts. If tests of use cases replace an implementation with a test double, the comment of the
// interface states this. tests/arch reports an interface that has neither a suite nor a second implementation.
package ports
