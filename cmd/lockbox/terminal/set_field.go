package terminal

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/cmd/lockbox/interchange"
	"github.com/lockbox-go/lockbox/cmd/lockbox/prompt"
)

// withField returns the object of an entry with one field replaced. A missing entry is an empty object. Unless the
// caller has set a condition, it adds the version that it has read to the condition.
func (s *session) withField(ctx context.Context, server *client.Client, at address, field string,
	value interchange.Value, condition *client.WriteOptions) (interchange.Value, error) {
	before, current, err := currentValue(ctx, server, at, false)
	if err != nil {
		return value, err
	}
	after, err := before.WithField(field, value)
	if err != nil {
		return value, entryError(at, &exitError{err, exitConflict})
	}
	if condition.IfMatch == 0 && !condition.IfNoneMatch {
		condition.IfMatch, condition.IfNoneMatch = current.IfMatch, current.IfNoneMatch
	}
	return after, nil
}

// looksLikeFields matches text that is meant to change fields: an object in JSON, or NAME=VALUE lines as in a .env
// file. Comments may precede the first such line.
var looksLikeFields = regexp.MustCompile(
	`^(\s*(#.*)?\n)*\s*((export\s+)?[A-Za-z0-9_][A-Za-z0-9_.\[\]-]*\s?:?=|\{\s*["}])`)

// checkReplaced asks before text that looks like fields replaces an object. Without a terminal it returns a usage error
// that names the commands that change fields.
//
// It does not check an entry that the user cannot read or decrypt, because the permission to write must be enough for a
// write. The old version can be restored.
func (s *session) checkReplaced(ctx context.Context, server *client.Client, at address, value interchange.Value,
	condition *client.WriteOptions) error {
	text, isText := value.String()
	if !isText || !looksLikeFields.MatchString(text) || condition.IfNoneMatch {
		return nil
	}
	entry, err := server.ReadEntry(ctx, at.box, at.key, nil)
	switch {
	case isMissingEntry(err), errors.Is(err, client.ErrForbidden):
		return nil
	case err != nil:
		return err
	}
	before, err := interchange.Parse(entry.Value)
	if err != nil || !before.IsObject() {
		return nil //nolint:nilerr // a value that cannot be parsed has no fields to lose
	}
	remedy := fmt.Sprintf("to change a field, use lockbox set %s --field NAME VALUE, or lockbox import %[1]s FILE "+
		"--merge; to store the text, add --string", at)
	agreed, err := prompt.Yes(ctx,
		printable(fmt.Sprintf("%s holds an object with %d names. Replace all of it by this text?",
			at, len(before.Names()))))
	switch {
	case errors.Is(err, prompt.ErrNoTerminal):
		return &usageError{fmt.Errorf("%s holds an object, which this text would replace: %s", at, remedy)}
	case err != nil:
		return err
	case !agreed:
		return fmt.Errorf("not confirmed; nothing was changed; %s", remedy)
	}
	return nil
}
