package terminal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
)

type dropletAddFlags struct {
	image, box, keyFile string
	env                 []string
}

func dropletAddCommand(s *session) *cobra.Command {
	var flags dropletAddFlags
	command := &cobra.Command{
		Use:   "add",
		Short: "Make a droplet; for managers",
		Long: `Make a droplet and a key pair to sign in to it with SSH. With --box the private key becomes the entry droplets/NAME/ssh
of that box, and --env fills the droplet's environment from entries of the box; both need the encryption key. Without
--box the private key is written to --key-file, or else printed alone on standard output, this once.`,
		Example: `  lockbox droplet add --key-file ~/.ssh/droplet
  lockbox droplet add --box prod --image debian-sshd:13 --env DATABASE_URL=db/url`,
		Args: cobra.NoArgs,
		RunE: s.run(func(ctx context.Context, server *client.Client, _ []string) error {
			return s.addDroplet(ctx, server, flags)
		}),
	}
	command.Flags().StringVar(&flags.image, "image", "",
		"one of the images that the server allows; the first of them by default")
	command.Flags().StringVar(&flags.box, "box", "", "box that takes the private key")
	command.Flags().StringArrayVar(&flags.env, "env", nil,
		"NAME=KEY fills a variable from the entry KEY of the box; may be repeated")
	command.Flags().StringVar(&flags.keyFile, "key-file", "", "new file for the private key, readable by you alone")
	command.MarkFlagsMutuallyExclusive("box", "key-file")
	_ = command.RegisterFlagCompletionFunc("box", s.completeBoxes())
	s.key.flags(command)
	return command
}

func (s *session) addDroplet(ctx context.Context, server *client.Client, flags dropletAddFlags) error {
	options := client.DropletOptions{Image: flags.image, Box: flags.box}
	var err error
	if options.Env, err = parseEnv(flags.env); err != nil {
		return err
	}
	switch {
	case flags.box != "":
		if options.EncryptionKey, err = s.encryptionKey(ctx, true); err != nil {
			return err
		}
	case len(options.Env) > 0:
		return &usageError{errors.New("--env reads entries of a box: use --box too")}
	}
	var file *os.File
	if flags.keyFile != "" {
		// Before there is a droplet that nobody could sign in to.
		if file, err = os.OpenFile(flags.keyFile, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
			return &usageError{fmt.Errorf("--key-file must be a file that can be made new: %w", err)}
		}
	}
	droplets, err := server.AddDroplet(ctx, &options)
	if file != nil {
		if err == nil {
			err = keepPrivateKey(file, droplets)
		}
		_ = file.Close()
	}
	switch {
	case err != nil && file != nil && droplets == nil:
		_ = os.Remove(flags.keyFile)
		return err
	case err != nil:
		return err
	case flags.box == "" && flags.keyFile == "":
		return s.showPrivateKey(droplets)
	}
	return s.showDroplets(withoutKeys(droplets))
}

// parseEnv reads NAME=KEY.
func parseEnv(pairs []string) (map[string]string, error) {
	variables := map[string]string{}
	for _, pair := range pairs {
		name, key, found := strings.Cut(pair, "=")
		if _, twice := variables[name]; twice || !found || name == "" || key == "" {
			return nil, &usageError{fmt.Errorf("--env %q is not NAME=KEY, each name once", pair)}
		}
		variables[name] = key
	}
	return variables, nil
}

// newDroplet returns the one that came with its private key.
func newDroplet(droplets []client.Droplet) (client.Droplet, error) {
	for _, droplet := range droplets {
		if !droplet.PrivateKey.IsZero() {
			return droplet, nil
		}
	}
	return client.Droplet{}, errors.New(
		"the droplet is made, and the answer has no private key: delete it with lockbox droplet delete")
}

func keepPrivateKey(file *os.File, droplets []client.Droplet) error {
	made, err := newDroplet(droplets)
	if err != nil {
		return err
	}
	if _, err := file.WriteString(made.PrivateKey.Reveal()); err != nil {
		return fmt.Errorf("%s is made, and its private key cannot be written: delete it with lockbox droplet delete: %w", made.Name, err)
	}
	return file.Sync()
}

// withoutKeys takes out what went somewhere else.
func withoutKeys(droplets []client.Droplet) []client.Droplet {
	for i := range droplets {
		droplets[i].PrivateKey = client.Secret{}
	}
	return droplets
}

// showPrivateKey prints the key alone, or in JSON the whole answer with it.
func (s *session) showPrivateKey(droplets []client.Droplet) error {
	made, err := newDroplet(droplets)
	if err != nil {
		return err
	}
	if s.output == formJSON {
		type shown struct {
			client.Droplet

			PrivateKey string `json:"privateKey,omitempty"`
		}
		all := make([]shown, len(droplets))
		for i, droplet := range droplets {
			all[i] = shown{droplet, droplet.PrivateKey.Reveal()}
		}
		return s.showJSON(all)
	}
	key := made.PrivateKey.Reveal()
	if !strings.HasSuffix(key, "\n") {
		key += "\n"
	}
	if err := s.print(key); err != nil {
		return err
	}
	s.say("This is the private key of %s: keep it, it is not shown again.", made.Name)
	return nil
}
