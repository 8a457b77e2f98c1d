package terminal

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/cmd/lockbox/prompt"
)

// yesFlag is for scripts, which cannot be asked.
func yesFlag(command *cobra.Command, yes *bool) {
	command.Flags().BoolVar(yes, "yes", false, "do it without asking")
}

// sure asks before something is done that cannot be undone. Where nobody can be asked, --yes must have said it.
func sure(ctx context.Context, yes bool, format string, args ...any) error {
	if yes {
		return nil
	}
	agreed, err := prompt.Yes(ctx, printable(fmt.Sprintf(format, args...)))
	switch {
	case errors.Is(err, prompt.ErrNoTerminal):
		return &usageError{fmt.Errorf("%w: use --yes if you are sure", err)}
	case err != nil:
		return err
	case !agreed:
		return errors.New("nothing was done")
	}
	return nil
}
