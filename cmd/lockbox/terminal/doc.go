// Package terminal holds the commands of lockbox for those who use a server over HTTP: people at a terminal, and scripts.
// Each noun or verb is a file. They call the Go package client and know nothing of the server's inside.
package terminal
