// Package sealing implements the cryptography of stored data: entries, which are sealed under the clients' encryption
// keys, account secrets (password hashes and TOTP secrets), and the key ring with the server keys, which the server's
// secret wraps.
//
// format.go, account.go and wrap.go specify the formats completely enough for an independent implementation. testdata
// contains test vectors for each format.
package sealing
