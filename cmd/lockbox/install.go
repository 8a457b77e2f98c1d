package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

// installCommand copies the running program. In Kubernetes, an init container runs this command to copy the program
// into a shared volume, because the container image has no cp.
func installCommand() *cobra.Command {
	var to string
	command := &cobra.Command{
		Use:   "install",
		Short: "Copy this program to a file, for example from an init container into a volume",
		Long: `Copy this program to the file of --to, and let every user run it. An existing file is replaced in one
step, so other processes find either the old or the new program. The folder must exist.

The container image has no shell and no cp. In Kubernetes, an init container with this command gives the program to a
container that has another image.`,
		Example: "  lockbox install --to /shared/lockbox",
		Args:    cobra.NoArgs,
		RunE: func(_ *cobra.Command, _ []string) error {
			program, err := os.Executable()
			if err != nil {
				return fmt.Errorf("cannot find the file of this program: %w", err)
			}
			return install(program, to)
		},
	}
	command.Flags().StringVar(&to, "to", "", "the file to create or replace")
	_ = command.MarkFlagRequired("to")
	return command
}

// programMode lets every user read and run the copy, because the containers of a pod can run as different users.
const programMode = 0o755

// install copies a file. The first argument is the path of the original, and the second argument is the path of the
// copy. install replaces an existing copy atomically. On an error, an existing copy is unchanged.
func install(from, to string) error {
	if info, err := os.Stat(to); err == nil && info.IsDir() {
		return fmt.Errorf("%s is a folder: name a file in it, such as %s", to, filepath.Join(to, "lockbox"))
	}
	source, err := os.Open(from) //nolint:gosec // the running program
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }()
	// Write the copy to a temporary file and rename it at the end. The old file may be a running program, and writing
	// into a running program fails with ETXTBSY.
	temporary, err := os.CreateTemp(filepath.Dir(to), ".lockbox-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temporary.Name()) }()
	_, copyErr := io.Copy(temporary, source)
	if err := errors.Join(copyErr, temporary.Chmod(programMode), temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), to)
}
