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

// dropletAddFlags are the flags of lockbox droplet add. The flags --box and --key-file exclude each other.
type dropletAddFlags struct {
	// If image is "", the server uses the first image that it allows.
	image string
	// box is the name of the box that receives the private key. The entries that env names are in the same box.
	box string
	// keyFile receives the private key.
	keyFile string
	// env holds pairs of the form NAME=KEY. Each pair sets the variable NAME to the value of the entry KEY.
	env []string
}

// dropletAddCommand adds a droplet (POST /api/v1/droplet/add). The server stores the private key only with --box.
// Without --box, the response contains the only copy of the key; see addDropletWithKeyFile. The exit code is exitUsage
// if the server does not allow the image.
func dropletAddCommand(s *session) *cobra.Command {
	var flags dropletAddFlags
	command := &cobra.Command{
		Use:   "add",
		Short: "Create a droplet (for managers)",
		Long: `Create a droplet, and an SSH key pair to sign in to the droplet. The command writes the private key to
--key-file, or prints only the private key to standard output. The key is not shown again.

With --box, the command instead stores the private key as the entry droplets/NAME/ssh of that box. --env then sets
environment variables of the droplet from entries of the box. Both flags need the encryption key.`,
		Example: `  lockbox droplet add --key-file ~/.ssh/droplet
  lockbox droplet add --box prod --image debian-sshd:13 --env DATABASE_URL=db/url`,
		Args: cobra.NoArgs,
		RunE: s.run(func(ctx context.Context, server *client.Client, _ []string) error {
			return s.addDroplet(ctx, server, flags)
		}),
	}
	command.Flags().StringVar(&flags.image, "image", "",
		"image to use, which the server must allow (default: the first allowed image)")
	command.Flags().StringVar(&flags.box, "box", "", "store the private key in this box")
	command.Flags().StringArrayVar(&flags.env, "env", nil,
		"NAME=KEY sets the variable NAME to the value of the entry KEY of the box; the flag may be repeated")
	command.Flags().StringVar(&flags.keyFile, "key-file", "",
		"write the private key to this new file, which only you can read")
	// The key is stored in exactly one place.
	command.MarkFlagsMutuallyExclusive("box", "key-file")
	_ = command.RegisterFlagCompletionFunc("box", s.completeBoxes())
	s.key.addFlags(command)
	return command
}

// addDroplet checks the flags, obtains the encryption key if --box is given, and adds a droplet. Every check that needs
// no server comes first, because a droplet is expensive to create.
func (s *session) addDroplet(ctx context.Context, server *client.Client, flags dropletAddFlags) error {
	options := client.DropletOptions{Image: flags.image, Box: flags.box}
	var err error
	if options.Env, err = parseEnv(flags.env); err != nil {
		return err
	}
	switch {
	case flags.box != "":
		if options.EncryptionKey, _, err = s.boxKey(ctx, server, flags.box, true); err != nil {
			return err
		}
	// Without a box, the variables have no entries from which to take their values.
	case len(options.Env) > 0:
		return &usageError{errors.New("--env reads entries of a box: add --box")}
	}
	if flags.keyFile != "" {
		return s.addDropletWithKeyFile(ctx, server, &options, flags.keyFile)
	}
	droplets, err := server.AddDroplet(ctx, &options)
	switch {
	case err != nil:
		return err
	// Without --box and --key-file, standard output is the only place for the key.
	case flags.box == "":
		return s.showPrivateKey(droplets)
	}
	return s.showDroplets(withoutPrivateKeys(droplets))
}

// addDropletWithKeyFile adds a droplet and writes its private key to a new file. It creates the file before it adds the
// droplet. In the reverse order, a failure to create the file would leave a droplet whose key is lost. If the server
// adds no droplet, the file is removed.
func (s *session) addDropletWithKeyFile(ctx context.Context, server *client.Client, options *client.DropletOptions,
	path string) error {
	//nolint:gosec // the user names the file
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return &usageError{fmt.Errorf("cannot create the private key file (--key-file must name a new file): %w", err)}
	}
	defer file.Close() // after a failure; writePrivateKey reports the errors of a success
	droplets, err := server.AddDroplet(ctx, options)
	if err == nil {
		err = writePrivateKey(file, droplets)
	}
	if err != nil {
		// If the droplet exists, the file stays: it may contain the only copy of the key.
		if droplets == nil {
			_ = os.Remove(path)
		}
		return err
	}
	return s.showDroplets(withoutPrivateKeys(droplets))
}

// parseEnv reads pairs of the form NAME=KEY. A name may occur only once.
func parseEnv(pairs []string) (map[string]string, error) {
	variables := map[string]string{}
	for _, pair := range pairs {
		name, key, found := strings.Cut(pair, "=")
		// A duplicate name is a mistake: the server would receive only one of the values.
		if _, duplicate := variables[name]; duplicate || !found || name == "" || key == "" {
			return nil, &usageError{fmt.Errorf("invalid --env %q: use NAME=KEY, and use each name only once", pair)}
		}
		variables[name] = key
	}
	return variables, nil
}

// addedDroplet returns the droplet that the server has just added. In the response, only this droplet has a private
// key.
func addedDroplet(droplets []client.Droplet) (client.Droplet, error) {
	for _, droplet := range droplets {
		if !droplet.PrivateKey.IsZero() {
			return droplet, nil
		}
	}
	return client.Droplet{}, errors.New("the server added a droplet but returned no private key: " +
		"to delete the droplet, run lockbox droplet delete")
}

// writePrivateKey writes the key of the new droplet to a file and syncs it. If that fails, the droplet exists but
// its key is lost, so the error tells the user to delete the droplet.
func writePrivateKey(file *os.File, droplets []client.Droplet) error {
	added, err := addedDroplet(droplets)
	if err != nil {
		return err
	}
	_, err = file.WriteString(added.PrivateKey.Reveal())
	// The server does not keep the key, so the file must survive a crash of this machine. WriteString, Sync and Close
	// can each report a full disk.
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("cannot write the private key of the new droplet %s: %w; "+
			"to delete the droplet, run lockbox droplet delete", added.Name, err)
	}
	return nil
}

// withoutPrivateKeys removes the private keys from a response. The key of the new droplet is already in a file or a
// box, so it must not be printed.
func withoutPrivateKeys(droplets []client.Droplet) []client.Droplet {
	for i := range droplets {
		droplets[i].PrivateKey = client.Secret{}
	}
	return droplets
}

// showPrivateKey prints only the private key, or with --output json the whole response including the key.
func (s *session) showPrivateKey(droplets []client.Droplet) error {
	added, err := addedDroplet(droplets)
	if err != nil {
		return err
	}
	if s.output == formatJSON {
		type dropletWithKey struct {
			client.Droplet

			PrivateKey string `json:"privateKey,omitempty"`
		}
		all := make([]dropletWithKey, len(droplets))
		for i, droplet := range droplets {
			all[i] = dropletWithKey{droplet, droplet.PrivateKey.Reveal()}
		}
		return s.showJSON(all)
	}
	key := added.PrivateKey.Reveal()
	// OpenSSH rejects a key file without a final line end.
	if !strings.HasSuffix(key, "\n") {
		key += "\n"
	}
	if err := s.print(key); err != nil {
		return err
	}
	s.report("Added droplet %s. Store its private key now: it is not shown again.", added.Name)
	return nil
}
