package main

import (
	"crypto/rand"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/cmd/boot"
	"github.com/lockbox-go/lockbox/domain"
)

// keygenCommand generates a secret and prints it. It needs no server.
func keygenCommand() *cobra.Command {
	var secret bool
	command := &cobra.Command{
		Use:   "keygen",
		Short: "Print a new encryption key for entries, or a new secret for the server",
		Long: `Print a new encryption key (lbk1_…) for the header X-Encryption-Key. The server does not store it:
without the key, the values that are encrypted with it are lost.

With --secret, print a secret for LOCKBOX_SECRET_KEY instead.`,
		Example: "  lockbox keygen\n  lockbox keygen --secret > secret-key",
		Args:    cobra.NoArgs,
		Run: func(command *cobra.Command, _ []string) {
			fmt.Fprintln(command.OutOrStdout(), newKey(secret))
		},
	}
	command.Flags().BoolVar(&secret, "secret", false, "print a secret for LOCKBOX_SECRET_KEY")
	return command
}

// newKey returns a new secret for the server, or a new encryption key.
func newKey(secret bool) string {
	if secret {
		return boot.NewSecret()
	}
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand would end the program
	return domain.FormatGeneratedKey(random)
}
