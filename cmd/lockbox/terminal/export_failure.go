package terminal

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/cmd/lockbox/interchange"
)

// PrintFailure prints a shell command that fails with the exit code of err. It does so only for lockbox export with the
// format shell and without --file. In eval "$(lockbox export …)", the shell discards the exit code of lockbox. Without
// the printed command, eval would succeed although no variable is set. The parameter args holds the arguments of the
// program. If a mistake in another flag ends the parsing before --format, the flag has no value. PrintFailure therefore
// searches args for the format.
func PrintFailure(out io.Writer, command *cobra.Command, args []string, err error) {
	format, file := command.Flag("format"), command.Flag("file")
	code := ExitCode(err)
	if command.Name() != "export" || format == nil || file == nil || file.Changed || code == 0 {
		return
	}
	// Like export itself, isShell ignores the letter case.
	isShell := func(arg string) bool {
		return strings.EqualFold(strings.TrimPrefix(arg, "--format="), string(interchange.Shell))
	}
	if isShell(format.Value.String()) || slices.ContainsFunc(args, isShell) {
		// The subshell ends with this exit code. The shell that runs eval continues, except with set -e.
		_, _ = fmt.Fprintf(out, "(exit %d)\n", code)
	}
}
