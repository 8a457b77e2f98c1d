// Package ports is what the inside of Lockbox asks of the outside: storage, sealing, passwords, tokens, a clock.
//
// It holds interfaces and the values that cross them. An interface comment is a contract: it says which kind of error
// comes back, what may block, and what may run inside a transaction.
package ports
