package terminal

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/cmd/lockbox/interchange"
)

// exportFlags are the flags of lockbox export.
type exportFlags struct {
	// If format is "", the extension of file determines the format. The default is dotenv.
	format string
	// file is the path of the output. The empty path means standard output.
	file string
	// force replaces an existing file.
	force bool
	// version is the version to export; 0 is the newest.
	version uint64
	allow   []string
	options interchange.Options
}

// exportCommand reads an entry and prints it in a format of package interchange (GET /boxes/{box}/entries/{key}). It
// needs the permission readEntry and the encryption key. With --file, the command prints nothing, except for the masks
// of the format github. The flag --output does not affect the export, because --format determines the format.
func exportCommand(s *session) *cobra.Command {
	var flags exportFlags
	command := &cobra.Command{
		Use:   "export BOX/KEY",
		Short: "Print an entry as dotenv, JSON, YAML or shell commands, or for Kubernetes, Docker or GitHub",
		Long: `Print an entry in one of these formats, or write it to a file that only you can read:

  dotenv      NAME=value lines, quoted so that a POSIX shell can read them (set -a; . ./.env)
  json, yaml  the value as it is
  shell       export NAME='value' lines, for eval; if the export fails, a shell command that fails
  kubernetes  the manifest of a Secret, named after the key unless --name is given
  docker      NAME=value lines without quotes, for docker run --env-file and kubectl --from-env-file
  github      variables for the later steps of a job of GitHub Actions, appended to $GITHUB_ENV or --file, after
              commands that mask the values in the log

All formats except json and yaml contain variables, with the names that lockbox run uses. Every user who may write
the entry can choose these names. Like lockbox run, the command therefore refuses variables that can make programs
run other code. --allow permits a variable by its name.`,
		Example: `  lockbox export prod/app > .env
  lockbox export prod/app --file app.yaml
  eval "$(lockbox export prod/app --format shell)" || exit
  lockbox export prod/app --format docker --file app.list && docker run --env-file app.list IMAGE
  lockbox export prod/app --format kubernetes --namespace shop | kubectl apply -f -`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeFirst(s.completeAddresses()),
		RunE: func(command *cobra.Command, args []string) error {
			return s.export(command, args[0], flags)
		},
	}
	command.Flags().StringVar(&flags.format, "format", "",
		strings.Join(interchange.Written(), ", ")+
			" (default: the format that the name of --file implies, otherwise dotenv)")
	command.Flags().StringVar(&flags.file, "file", "", "write to this file instead of standard output")
	// Without --force, the command refuses to replace a file, because the user may have mistyped the name.
	command.Flags().BoolVar(&flags.force, "force", false,
		"with --file: replace an existing file, or write into a device or named pipe")
	command.Flags().Uint64Var(&flags.version, "version", 0, "export this version instead of the newest")
	command.Flags().StringVar(&flags.options.Secret.Name, "name", "", "name of the Kubernetes Secret")
	command.Flags().StringVar(&flags.options.Secret.Namespace, "namespace", "", "namespace of the Kubernetes Secret")
	addNamingFlags(command, &flags.options.Naming)
	addAllowFlag(command, &flags.allow)
	_ = command.RegisterFlagCompletionFunc("format",
		cobra.FixedCompletions(interchange.Written(), cobra.ShellCompDirectiveNoFileComp))
	s.key.addFlags(command)
	return command
}

// export reads the entry, converts it and prints it. It checks --version, --name and --namespace before it sends a
// request.
func (s *session) export(command *cobra.Command, where string, flags exportFlags) error {
	if err := checkVersionFlag(command, "version", flags.version); err != nil {
		return err
	}
	format := exportFormat(flags)
	// Only the format kubernetes uses --name and --namespace. A user who passes one of these flags with another format
	// has usually forgotten --format, so the combination is an error.
	if format != interchange.Kubernetes && (flags.options.Secret != interchange.Secret{}) {
		return &usageError{errors.New("--name and --namespace need --format kubernetes")}
	}
	at, entry, err := s.readEntry(command.Context(), where, flags.version)
	if err != nil {
		return err
	}
	// If the value is not an object, it becomes one variable, named after the key of the entry. The key is also the
	// default name of the Secret.
	flags.options.Naming.Key = at.key
	if flags.options.Secret.Name == "" {
		flags.options.Secret.Name = interchange.SecretName(at.key)
	}
	value, err := interchange.Parse(entry.Value)
	if err != nil {
		return entryError(at, err)
	}
	// The conversion ends before the first byte is written, so an error in the conversion leaves no partial file.
	var text bytes.Buffer
	variables, err := writeAllowed(&text, format, value, flags)
	if err != nil {
		return entryError(at, &usageError{err})
	}
	if format == interchange.GitHub {
		return s.exportGitHub(variables, text.Bytes(), flags.file)
	}
	if flags.file != "" {
		return writeFile(command.Context(), flags.file, text.Bytes(), flags.force)
	}
	return s.print(text.String())
}

// exportFormat returns the value of --format in lower case. Without this flag, it returns the format that the name of
// the output file implies. If the name implies no format, it returns dotenv.
func exportFormat(flags exportFlags) interchange.Format {
	if flags.format != "" {
		return interchange.Format(strings.ToLower(flags.format))
	}
	if format, known := interchange.FormatOf(flags.file); known {
		return format
	}
	return interchange.Dotenv
}

// writeAllowed writes a value in a format. If the format contains variables, writeAllowed refuses the same unsafe
// variables as lockbox run, because exported variables also reach a shell or the environment of programs. It returns
// the variables.
func writeAllowed(out io.Writer, format interchange.Format, value interchange.Value,
	flags exportFlags) (variables []interchange.Variable, err error) {
	if format.HoldsVariables() {
		pairs, err := value.Environment(flags.options.Naming)
		if err == nil {
			err = checkNames(pairs, flags.allow)
		}
		if err != nil {
			return nil, err
		}
		if variables, err = value.Variables(flags.options.Naming); err != nil {
			return nil, err
		}
	}
	return variables, interchange.Write(out, format, value, flags.options)
}
