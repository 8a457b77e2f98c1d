// Package ports declares what the use cases need from the outside: storage, sealing, password hashing, tokens, a
// droplet host, a clock.
//
// It contains interfaces and the values that cross them. An interface comment is a contract: it states the errors
// that a caller may test for, what blocks, and what may run inside a transaction. Methods return other errors only
// when the adapter fails; those end the request with a fixed 500.
//
// Use cases must not import adapters, so every dependency of a use case is declared here, including those with a single
// implementation in production. The comment of an interface mentions its test double, if there is one. The storage
// ports have a conformance suite instead, which every implementation must pass.
package ports
