// Package sealing is the cryptography of what Lockbox stores: the key ring that the server's secret opens, the entries
// that clients' keys seal, and the little that the server itself must keep secret of an account.
//
// The formats are written down in format.go, account.go and wrap.go, precisely enough to be written again from there;
// testdata holds vectors of each.
package sealing
