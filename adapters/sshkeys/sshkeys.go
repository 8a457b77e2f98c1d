// Package sshkeys generates SSH key pairs.
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

// New generates an Ed25519 key pair (RFC 8709): the private key in OpenSSH's format, without a passphrase, and the
// public key as a line of authorized_keys. Both contain the given comment, which must be one word. The caller must
// clear the private key after use.
//
// It implements ports.NewSSHKeyFunc.
func New(comment string) (ports.SSHKey, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return ports.SSHKey{}, fmt.Errorf("generate an SSH key: %w", err)
	}
	defer clear(private)
	block, err := ssh.MarshalPrivateKey(private, comment)
	if err != nil {
		return ports.SSHKey{}, fmt.Errorf("encode an SSH private key: %w", err)
	}
	defer clear(block.Bytes)
	line, err := ssh.NewPublicKey(public)
	if err != nil {
		return ports.SSHKey{}, fmt.Errorf("encode an SSH public key: %w", err)
	}
	authorized := strings.TrimSuffix(string(ssh.MarshalAuthorizedKey(line)), "\n") + " " + comment + "\n"
	return ports.SSHKey{Private: domain.NewSecret(string(pem.EncodeToMemory(block))), Authorized: authorized}, nil
}
