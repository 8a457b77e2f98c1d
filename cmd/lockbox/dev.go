package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/cmd/boot"
)

// devCommand runs a server with its own database, for evaluation and development.
func devCommand() *cobra.Command {
	var dir string
	command := &cobra.Command{
		Use:     "dev",
		Short:   "Try Lockbox on this machine: start a server and a private PostgreSQL that need no settings",
		Example: "  lockbox dev",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			protectMemory()
			config, log, err := settings()
			if err != nil {
				return err
			}
			dev, err := boot.NewDev(command.Context(), config, log, dir)
			if err != nil {
				return err
			}
			go announce(command.Context(), command.OutOrStdout(), dev)
			return errors.Join(dev.Run(command.Context()), dev.Close())
		},
	}
	command.Flags().StringVar(&dir, "dir", ".lockbox", "folder for the database and the secret")
	return command
}

// announce waits until the server is ready. Then it prints the URL of the server and commands to try. If ctx ends
// first, announce prints nothing.
func announce(ctx context.Context, out io.Writer, dev *boot.Dev) {
	select {
	case <-ctx.Done():
		return
	case <-dev.Ready():
	}
	steps := "INIT_TOKEN=" + shellQuoted(dev.InitToken) + "\n" + firstSteps
	if dev.HasOwner() {
		steps = nextSteps
	}
	fmt.Fprintf(out, "\n# Lockbox is ready. Its data is in %s. Ctrl-C stops Lockbox and keeps the data.\n"+
		"# Paste this into bash in another terminal, in this folder:\n\nURL=%s\n%s", dev.DataDir(), dev.URL, steps)
}

// shellQuoted quotes text, so that a POSIX shell reads it as one word.
func shellQuoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// firstSteps holds the shell commands that the README shows after the lines that set URL and INIT_TOKEN. A test
// compares firstSteps with the README.
//
//nolint:lll // the text is pasted into a shell
const firstSteps = `api() { curl -sS -i -w '\n\n' -X "$1" "$URL$2" -H 'Content-Type: application/json' "${@:3}"; }

# Become the owner. This works only once. The response holds an API key that is not shown again.
API_KEY=$(api POST /init -H "X-Init-Token: $INIT_TOKEN" -d '{"username":"root","password":"change-me"}' |
    sed -n 's/.*"apiKey":"\([^"]*\)".*/\1/p')
ROOT="Authorization: Bearer $API_KEY"

# Generate an encryption key. Lockbox does not store it: without the key, the values are lost.
KEY=$(bin/lockbox keygen)
echo "Keep these: $API_KEY and $KEY"

# Create a box, write an entry, and read it back.
api POST /boxes/default -H "$ROOT"
api POST /boxes/default/entries -H "$ROOT" -H "X-Encryption-Key: $KEY" \
    -d '{"key":"my-entry","value":{"email":"my@email.com","password":"secret"}}'
api GET /boxes/default/entries/my-entry -H "$ROOT" -H "X-Encryption-Key: $KEY"

# Create a second user, whose API key is in a response header, and share the box.
USER_KEY=$(api POST /users -H "$ROOT" -d '{"username":"user1","password":"change-me"}' | tr -d '\r' | awk 'tolower($1) == "x-api-key:" {print $2}')
USER1="Authorization: Bearer $USER_KEY"
api POST /boxes/default/users -H "$ROOT" -d '{"username":"user1"}'
api GET /boxes/default/entries/my-entry -H "$USER1" -H "X-Encryption-Key: $KEY"

# Remove the user's permissions. The next request is refused with 403.
api DELETE /boxes/default/users/user1/permissions -H "$ROOT"
api GET /boxes/default/entries/my-entry -H "$USER1" -H "X-Encryption-Key: $KEY"
`

// nextSteps has the shell commands that `lockbox dev` prints if there is already an owner.
//
//nolint:lll // the text is pasted into a shell
const nextSteps = `api() { curl -sS -i -w '\n\n' -X "$1" "$URL$2" -H 'Content-Type: application/json' "${@:3}"; }

# Sign in as the owner, with the password that you sent to POST /init.
TOKEN=$(api POST /authenticate -d '{"username":"root","password":"change-me"}' | sed -n 's/.*"token":"\([^"]*\)".*/\1/p')
ROOT="Authorization: Bearer $TOKEN"
api GET /boxes -H "$ROOT"
`
