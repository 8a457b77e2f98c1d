package terminal

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/cmd/lockbox/prompt"
)

// addYesFlag adds --yes, which scripts use because they cannot answer a question.
func addYesFlag(command *cobra.Command, yes *bool) {
	command.Flags().BoolVar(yes, "yes", false, "do not ask for confirmation")
}

// confirm asks the user to confirm an action that cannot be undone. If the parameter yes is true, confirm does not ask
// and returns nil. If the user does not answer yes, confirm returns an error. An empty answer also means no. Scripts
// thus see from the exit code that nothing changed. Without a terminal, confirm returns a usage error that names --yes.
// The question may contain names from the server, so control characters are replaced.
func confirm(ctx context.Context, yes bool, format string, args ...any) error {
	if yes {
		return nil
	}
	agreed, err := prompt.Yes(ctx, printable(fmt.Sprintf(format, args...)))
	switch {
	case errors.Is(err, prompt.ErrNoTerminal):
		return &usageError{fmt.Errorf("%w: use --yes to confirm", err)}
	case err != nil:
		return err
	case !agreed:
		return errors.New("not confirmed; nothing was changed")
	}
	return nil
}
