package terminal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/cmd/lockbox/prompt"
)

// keySource says where the encryption key comes from. There is no flag for the key itself: whoever is on the same machine
// can read the arguments of a program.
type keySource struct {
	file    string
	command string
	// text is the key itself, which the environment alone may hold.
	text string
}

func (k *keySource) flags(command *cobra.Command) {
	command.Flags().StringVar(&k.file, "encryption-key-file", "", "read the encryption key from this file")
	command.Flags().StringVar(&k.command, "encryption-key-command", "",
		"read the encryption key from what this command prints, as a keychain does")
	command.MarkFlagsMutuallyExclusive("encryption-key-file", "encryption-key-command")
}

var errNoKey = &usageError{errors.New(
	"there is no encryption key: set LOCKBOX_ENCRYPTION_KEY or LOCKBOX_ENCRYPTION_KEY_FILE, " +
		"or use --encryption-key-file or --encryption-key-command")}

// encryptionKey finds the key: by the flags, the environment, the profile, or by asking. To write, it is asked for twice:
// a value under a mistyped key is lost.
func (s *session) encryptionKey(ctx context.Context, toWrite bool) (client.EncryptionKey, error) {
	text, err := s.keyText(ctx, toWrite)
	if err != nil {
		return client.EncryptionKey{}, err
	}
	key, err := client.ParseEncryptionKey(text)
	if err != nil {
		return client.EncryptionKey{}, &usageError{err}
	}
	return key, nil
}

func (s *session) keyText(ctx context.Context, toWrite bool) (string, error) {
	sources := []keySource{s.key, s.environmentKey(), s.keptKey()}
	if s.profileName != "" { // it counts before the whole environment
		sources = []keySource{s.key, s.keptKey(), s.environmentKey()}
	}
	for _, source := range sources {
		switch {
		case source.text != "":
			return source.text, notAPath(source.text)
		case source.file != "":
			return fromFile(source.file)
		case source.command != "":
			return fromCommand(ctx, source.command)
		}
	}
	ask := prompt.Hidden
	if toWrite {
		ask = prompt.New
	}
	text, err := ask(ctx, "Encryption key: ")
	if errors.Is(err, prompt.ErrNoTerminal) {
		return "", errNoKey
	}
	return text, err
}

// notAPath refuses a file's name where the key belongs: it would be taken for a passphrase, and values written under it.
func notAPath(text string) error {
	if !strings.ContainsRune(text, os.PathSeparator) {
		return nil
	}
	if file, err := os.Stat(text); err != nil || !file.Mode().IsRegular() {
		return nil
	}
	return &usageError{errors.New(
		"LOCKBOX_ENCRYPTION_KEY is the name of a file: set LOCKBOX_ENCRYPTION_KEY_FILE to it instead")}
}

func (s *session) environmentKey() keySource {
	if !s.environmentCounts() {
		return keySource{}
	}
	return keySource{text: s.env("LOCKBOX_ENCRYPTION_KEY"), file: s.env("LOCKBOX_ENCRYPTION_KEY_FILE")}
}

// keptKey is where the profile has its key, which goes to the server of that profile and to no other: as with the token,
// another server could keep what it is sent.
func (s *session) keptKey() keySource {
	if !sameServer(s.url(), s.chosen.URL) {
		return keySource{}
	}
	return keySource{file: s.chosen.EncryptionKeyFile, command: s.chosen.EncryptionKeyCommand}
}

func fromFile(path string) (string, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the user's own file
	if err != nil {
		return "", fmt.Errorf("the encryption key cannot be read: %w", err)
	}
	return oneLine(text), nil
}

// fromCommand runs a line of the user's shell. It has no standard input, which may carry the value that is being set.
func fromCommand(ctx context.Context, line string) (string, error) {
	shell, flag := "sh", "-c"
	if runtime.GOOS == "windows" {
		shell, flag = "cmd", "/C"
	}
	command := exec.CommandContext(ctx, shell, flag, line) //nolint:gosec // what the user wants run
	command.Stderr = os.Stderr
	command.WaitDelay = time.Second // what the shell has started may hold on to its output
	text, err := command.Output()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return "", fmt.Errorf("the command that should print the encryption key failed: %w", err)
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return "", errors.New("the command that should print the encryption key printed nothing")
	}
	return oneLine(text), nil
}

// oneLine drops the newline that editors and commands put at the end.
func oneLine(text []byte) string {
	return strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
}
