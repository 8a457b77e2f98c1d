package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/cmd/boot"
)

func devCommand() *cobra.Command {
	var dir string
	command := &cobra.Command{
		Use:   "dev",
		Short: "Try Lockbox on this machine: a private PostgreSQL and the server, with nothing to set up",
		Args:  cobra.NoArgs,
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

// announce prints what to try once requests are answered.
func announce(ctx context.Context, out io.Writer, dev *boot.Dev) {
	select {
	case <-ctx.Done():
	case <-dev.Ready():
		fmt.Fprintf(out, firstSteps, dev.URL)
	}
}

// firstSteps are pasted into a shell as they stand.
const firstSteps = `
Lockbox is ready. In another terminal, paste (the first line works once ever; later, sign in with POST /authenticate):

URL=%s
API_KEY=$(curl -s $URL/init -H 'Content-Type: application/json' -d '{"username":"root","password":"change-me"}' | sed 's/.*"apiKey":"\([^"]*\)".*/\1/')
KEY=$(bin/lockbox keygen)
curl -i -X POST $URL/boxes/default -H "Authorization: Bearer $API_KEY"
curl -i $URL/boxes/default/entries -H "Authorization: Bearer $API_KEY" -H "X-Encryption-Key: $KEY" -H 'Content-Type: application/json' -d '{"key":"my-entry","value":{"email":"my@email.com","password":"secret"}}'
curl -i $URL/boxes/default/entries/my-entry -H "Authorization: Bearer $API_KEY" -H "X-Encryption-Key: $KEY"

Then let somebody else read it, and take that away again:

USER_KEY=$(curl -s -i $URL/users -H "Authorization: Bearer $API_KEY" -H 'Content-Type: application/json' -d '{"username":"user1","password":"change-me"}' | tr -d '\r' | sed -n 's/^X-Api-Key: //Ip')
curl -i $URL/boxes/default/users -H "Authorization: Bearer $API_KEY" -H 'Content-Type: application/json' -d '{"username":"user1"}'
curl -i $URL/boxes/default/entries/my-entry -H "Authorization: Bearer $USER_KEY" -H "X-Encryption-Key: $KEY"
curl -i -X DELETE $URL/boxes/default/users/user1/permissions -H "Authorization: Bearer $API_KEY"
curl -i $URL/boxes/default/entries/my-entry -H "Authorization: Bearer $USER_KEY" -H "X-Encryption-Key: $KEY"

Stop with Ctrl-C; everything is kept.
`
