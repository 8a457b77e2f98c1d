// Package sshkeys makes pairs of keys for SSH.
package sshkeys

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// New makes an Ed25519 pair (RFC 8709): the private half in OpenSSH's own format, without a passphrase, and the public half
// as a line of authorized_keys. Both carry the comment, which must be one word.
func New(comment string) (ports.SSHKey, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return ports.SSHKey{}, fmt.Errorf("make a key for SSH: %w", err)
	}
	defer clear(private)
	block, err := ssh.MarshalPrivateKey(private, comment)
	if err != nil {
		return ports.SSHKey{}, fmt.Errorf("write a key for SSH: %w", err)
	}
	defer clear(block.Bytes)
	line, err := ssh.NewPublicKey(public)
	if err != nil {
		return ports.SSHKey{}, fmt.Errorf("write a public key for SSH: %w", err)
	}
	authorized := strings.TrimSuffix(string(ssh.MarshalAuthorizedKey(line)), "\n") + " " + comment + "\n"
	return ports.SSHKey{Private: domain.NewSecret(string(pem.EncodeToMemory(block))), Authorized: authorized}, nil
}
