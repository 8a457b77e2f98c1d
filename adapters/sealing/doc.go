// Package sealing implements the cryptography of stored data. It seals entries under the clients' encryption keys, and
// account secrets (password hashes and TOTP secrets) under server keys. Its key ring holds the server keys, which are
// wrapped under the server's secret.
//
// format.go, account.go and wrap.go specify the formats completely enough for an independent implementation. testdata
// contains test vectors for each format.
package sealing
