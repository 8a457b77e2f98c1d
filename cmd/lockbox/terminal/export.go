package terminal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/cmd/lockbox/interchange"
)

type exportFlags struct {
	format, file string
	force        bool
	version      uint64
	allow        []string
	options      interchange.Options
}

func exportCommand(s *session) *cobra.Command {
	var flags exportFlags
	command := &cobra.Command{
		Use:   "export BOX/KEY",
		Short: "Write an entry as dotenv, JSON, YAML, lines of a shell, or a Kubernetes Secret",
		Long: `Write an entry to standard output, or to a file that only this user can read.

  dotenv      NAME=value lines, quoted so that a POSIX shell reads them the same (set -a; . ./.env)
  json, yaml  the value as it is
  shell       export NAME='value' lines, for eval
  kubernetes  the manifest of a Secret; its name is made of the key unless --name gives one

dotenv, shell and kubernetes hold variables, named as by lockbox run. As there, variables that can make programs run other
code are refused, for whoever may write the entry chooses them; --allow takes the ones that are meant.`,
		Example: `  lockbox export prod/app > .env
  lockbox export prod/app --file app.yaml
  eval "$(lockbox export prod/app --format shell)"
  lockbox export prod/app --format kubernetes --namespace shop | kubectl apply -f -`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(s.completeAddresses()),
		RunE: func(command *cobra.Command, args []string) error {
			return s.export(command, args[0], flags)
		},
	}
	command.Flags().StringVar(&flags.format, "format", "",
		strings.Join(interchange.Written(), ", ")+"; by the name of --file, or dotenv")
	command.Flags().StringVar(&flags.file, "file", "", "write to this file instead of standard output")
	command.Flags().BoolVar(&flags.force, "force", false, "with --file: replace a file that is there")
	command.Flags().Uint64Var(&flags.version, "version", 0, "write this version instead of the newest")
	command.Flags().StringVar(&flags.options.Secret.Name, "name", "", "name of the Kubernetes Secret")
	command.Flags().StringVar(&flags.options.Secret.Namespace, "namespace", "", "namespace of the Kubernetes Secret")
	namingFlags(command, &flags.options.Naming)
	allowFlag(command, &flags.allow)
	_ = command.RegisterFlagCompletionFunc("format",
		cobra.FixedCompletions(interchange.Written(), cobra.ShellCompDirectiveNoFileComp))
	s.key.flags(command)
	return command
}

func (s *session) export(command *cobra.Command, where string, flags exportFlags) error {
	if err := versionFlag(command, "version", flags.version); err != nil {
		return err
	}
	format := interchange.Dotenv
	if flags.format != "" {
		format = interchange.Format(flags.format)
	} else if named, known := interchange.FormatOf(flags.file); known {
		format = named
	}
	if format != interchange.Kubernetes && (flags.options.Secret != interchange.Secret{}) {
		return &usageError{errors.New("--name and --namespace go with --format kubernetes")}
	}
	entry, err := s.read(command, where, flags.version)
	if err != nil {
		return err
	}
	at, err := parseAddress(where)
	if err != nil {
		return err
	}
	flags.options.Naming.Key = at.key
	if flags.options.Secret.Name == "" {
		flags.options.Secret.Name = interchange.SecretName(at.key)
	}
	value, err := interchange.Parse(entry.Value)
	if err != nil {
		return about(at, err)
	}
	var text bytes.Buffer
	if err := writeAllowed(&text, format, value, flags); err != nil {
		return about(at, &usageError{err})
	}
	if flags.file != "" {
		return writeFile(flags.file, text.Bytes(), flags.force)
	}
	return s.print(text.String())
}

// writeAllowed writes a value. Variables go into a shell, or into the environment of programs, as those of lockbox run do.
func writeAllowed(out io.Writer, format interchange.Format, value interchange.Value, flags exportFlags) error {
	if format.HoldsVariables() {
		pairs, err := value.Environment(flags.options.Naming)
		if err == nil {
			err = checkNames(pairs, flags.allow)
		}
		if err != nil {
			return err
		}
	}
	return interchange.Write(out, format, value, flags.options)
}

// writeFile writes a file that only this user can read, all of it or none.
func writeFile(path string, text []byte, replace bool) (err error) {
	if _, err := os.Lstat(path); !replace && !errors.Is(err, fs.ErrNotExist) {
		return &usageError{fmt.Errorf("%s is there already: use --force to replace it", path)}
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".lockbox-*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name())
		}
	}()
	_, err = file.Write(text)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
