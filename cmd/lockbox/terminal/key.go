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

// keySource describes the source of an encryption key. No flag takes the key itself, because other users of the machine
// can read the arguments of a process.
type keySource struct {
	file    string
	command string
	// text is the key itself. It comes only from the environment, never from a flag.
	text string
}

// addFlags adds the flags for the encryption key to a command that reads or writes values.
func (k *keySource) addFlags(command *cobra.Command) {
	command.Flags().StringVar(&k.file, "encryption-key-file", "", "read the encryption key from this file")
	command.Flags().StringVar(&k.command, "encryption-key-command", "",
		"read the encryption key from the output of this shell command")
	command.MarkFlagsMutuallyExclusive("encryption-key-file", "encryption-key-command")
}

// isSet reports whether the source has a key.
func (k keySource) isSet() bool { return k != (keySource{}) }

// errNoKey means that no source has an encryption key, and that there is no terminal at which to ask for a key.
var errNoKey = &usageError{errors.New(
	"no encryption key: set LOCKBOX_ENCRYPTION_KEY or LOCKBOX_ENCRYPTION_KEY_FILE, " +
		"or use --encryption-key-file or --encryption-key-command")}

// encryptionKey returns the encryption key from keyText. If the key is damaged, it returns a usage error that names the
// source of the key.
func (s *session) encryptionKey(ctx context.Context, forWriting bool) (client.EncryptionKey, error) {
	text, origin, err := s.keyText(ctx, forWriting)
	if err != nil {
		return client.EncryptionKey{}, err
	}
	key, err := client.ParseEncryptionKey(text)
	if err != nil {
		return client.EncryptionKey{}, &detailedError{prefix: origin + ": ", error: &usageError{err}}
	}
	return key, nil
}

// keyText returns the text of the encryption key and the name of its source. The sources are the flags, the environment
// and the profile, in this order. With --profile, the profile comes before the environment. If no source is set,
// keyText asks the user. If forWriting is true, it asks twice, because a value that is written under a mistyped key
// cannot be read again.
func (s *session) keyText(ctx context.Context, forWriting bool) (text, origin string, err error) {
	// Use only the first source that is set. If this source cannot be read, return the error. Another source could
	// contain a different key, and the command would then write a value under the wrong key.
	sources := []keySource{s.key, s.environmentKey(), s.profileKey()}
	if s.profileName != "" { // --profile takes precedence over the whole environment
		sources = []keySource{s.key, s.profileKey(), s.environmentKey()}
	}
	for _, source := range sources {
		switch {
		case source.text != "":
			return source.text, "LOCKBOX_ENCRYPTION_KEY", checkNotFileName(source.text)
		case source.file != "":
			text, err = readKeyFile(source.file)
			return text, source.file, err
		case source.command != "":
			text, err = runKeyCommand(ctx, source.command)
			return text, "the output of the key command", err
		}
	}
	if s.profileErr != nil {
		return "", "", s.profileErr // the file may name the key
	}
	ask := prompt.Hidden
	if forWriting {
		ask = prompt.New
	}
	text, err = ask(ctx, "Encryption key: ")
	if errors.Is(err, prompt.ErrNoTerminal) {
		return "", "", errNoKey
	}
	return text, "the typed key", err
}

// checkNotFileName rejects the name of an existing file in LOCKBOX_ENCRYPTION_KEY. Otherwise the command would use the
// name of the file as a passphrase.
func checkNotFileName(text string) error {
	if !strings.ContainsRune(text, os.PathSeparator) {
		return nil
	}
	if file, err := os.Stat(text); err != nil || !file.Mode().IsRegular() {
		return nil
	}
	return &usageError{errors.New(
		"LOCKBOX_ENCRYPTION_KEY holds the name of a file: set LOCKBOX_ENCRYPTION_KEY_FILE to that name instead")}
}

// environmentKey returns the key from the environment. If the environment names another server, it returns no key.
// LOCKBOX_ENCRYPTION_KEY takes precedence over LOCKBOX_ENCRYPTION_KEY_FILE.
func (s *session) environmentKey() keySource {
	if !s.environmentMatchesServer() {
		return keySource{}
	}
	return keySource{text: s.env("LOCKBOX_ENCRYPTION_KEY"), file: s.env("LOCKBOX_ENCRYPTION_KEY_FILE")}
}

// profileKey returns the key of the profile. The key is sent only to the server of the profile, because another server
// could store the key. The same rule applies to the token.
func (s *session) profileKey() keySource {
	if !sameServer(s.url(), s.selected.URL) {
		return keySource{}
	}
	return keySource{file: s.selected.EncryptionKeyFile, command: s.selected.EncryptionKeyCommand}
}

// readKeyFile reads an encryption key from a file, without the line end.
func readKeyFile(path string) (string, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the user names the file
	if err != nil {
		return "", fmt.Errorf("cannot read the encryption key: %w", err)
	}
	return trimNewline(text), nil
}

// runKeyCommand runs a shell command line that prints a key or a passphrase. It returns the output without the final
// line end. The command gets no standard input, because standard input may contain the value to write. The user sees
// the standard error of the command. The command is stopped when ctx ends.
func runKeyCommand(ctx context.Context, line string) (string, error) {
	shell, flag := "sh", "-c"
	if runtime.GOOS == "windows" {
		shell, flag = "cmd", "/C"
	}
	command := exec.CommandContext(ctx, shell, flag, line) //nolint:gosec // the user chooses the command
	// Password managers print their prompts and errors to standard error.
	command.Stderr = os.Stderr
	command.WaitDelay = time.Second // children of the shell may keep the output open after the shell has ended
	text, err := command.Output()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return "", fmt.Errorf("the command that prints the encryption key failed: %w", err)
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return "", errors.New("the command that prints the encryption key printed nothing")
	}
	return trimNewline(text), nil
}

// trimNewline removes one line end from the end of a text. Editors and commands add such a line end.
func trimNewline(text []byte) string {
	return strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
}
