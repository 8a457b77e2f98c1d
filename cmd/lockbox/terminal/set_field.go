package terminal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/cmd/lockbox/interchange"
	"github.com/lockbox-go/lockbox/cmd/lockbox/prompt"
)

// withField reads the object in an entry and returns it with one field replaced. A missing entry counts as an empty
// object. If the caller has set no condition, withField sets one. The later write then fails if the entry has changed
// since withField read it. If check is true and the new value looks like an assignment, withField calls
// confirmReplaced.
func (s *session) withField(ctx context.Context, server *client.Client, at address, field string,
	value interchange.Value, check bool, condition *client.WriteOptions) (interchange.Value, error) {
	before, current, err := currentValue(ctx, server, at, false)
	if err != nil {
		return value, err
	}
	if old, err := before.Field(field); check && err == nil {
		text, isText := value.String()
		if name, found := assignment(text); isText && found {
			if err := confirmReplaced(ctx, at, field, old, name); err != nil {
				return value, err
			}
		}
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

// assignment reports whether one of the lines of a text looks like an assignment. It returns the name in the first
// assignment. An assignment is NAME=VALUE, NAME: VALUE or a member of a JSON object. Other words, punctuation or
// invisible characters may surround the name. The function ignores comments that begin with #, colons in URLs and in
// times, and queries in URLs. For the empty JSON object it returns true and no name.
//
// The rule is broad on purpose. It applies only to text that replaces an object or array, and a wrong match costs only
// a question.
func assignment(text string) (name string, found bool) {
	text = strings.TrimLeftFunc(text, isHidden)
	for strings.HasPrefix(text, "#") {
		text = strings.TrimLeftFunc(strings.TrimLeftFunc(text, func(c rune) bool { return !isLineEnd(c) }), isHidden)
	}
	if rest, ok := strings.CutPrefix(text, "{"); ok && strings.HasPrefix(strings.TrimLeftFunc(rest, isHidden), "}") {
		return "", true
	}
	for line := range strings.FieldsFuncSeq(text, isLineEnd) {
		if line = strings.TrimLeftFunc(line, isHidden); strings.HasPrefix(line, "#") {
			continue
		}
		if name, found = assignedIn(line); found {
			return name, true
		}
	}
	return "", false
}

// isLineEnd reports whether a character ends a line in some editor or program.
func isLineEnd(c rune) bool { return strings.ContainsRune("\n\r\u0085\u2028\u2029", c) }

// assignedIn returns the name in the first assignment of a line. It reads each character once, because a value can be
// many megabytes long.
func assignedIn(line string) (name string, found bool) {
	var (
		start, end = -1, 0 // the bounds of the name in the last word; no word if start < 0
		digits     bool    // the word contains only digits
		url        bool    // the word contains ://
		ended      bool    // a blank follows the word
	)
	for i, c := range line {
		switch {
		case strings.HasPrefix(line[i:], "://"):
			url, ended = true, false
		case c == '=' || c == ':' || c == '\uff1d' || c == '\uff1a': // also in full width
			time := c == ':' && digits && i+1 < len(line) && '0' <= line[i+1] && line[i+1] <= '9'
			if start >= 0 && !url && !time {
				return strings.Trim(line[start:end], quotes), true
			}
		case unicode.IsSpace(c):
			ended = true
		case !isNoName(c):
			if ended {
				url = false
			}
			if ended || start < 0 {
				start, digits, ended = i, true, false
			}
			end = i + utf8.RuneLen(c)
			digits = digits && '0' <= c && c <= '9'
		}
	}
	return "", false
}

// quotes are the characters that can enclose a name. An enclosed name can contain any character.
const quotes = "\"'`])"

// isNoName reports whether a character is forbidden at the start and at the end of a name. Some of these characters,
// such as a dot, can be inside a name. Quotes and closing brackets count as parts of a name.
func isNoName(c rune) bool {
	return isHidden(c) || c < utf8.RuneSelf && c != '_' && !strings.ContainsRune(quotes, c) &&
		!unicode.IsLetter(c) && !unicode.IsDigit(c)
}

// isHidden reports whether a character is not visible: white space, a control character or an invisible character.
func isHidden(c rune) bool {
	return unicode.IsSpace(c) || isControl(c) || isInvisible(c) || unicode.Is(unicode.Variation_Selector, c)
}

// checkReplaced protects entries that contain an object or array. If the new value is text that looks like an
// assignment, checkReplaced asks for confirmation before the text replaces the whole entry. Without a terminal, it
// returns a usage error that names another way to make the change. If the new value does not look like an assignment,
// checkReplaced sends no request.
//
// If the user cannot read or decrypt the entry, checkReplaced asks no question and returns nil: a write must succeed
// even for a user who has only the permission to write. If such a write was a mistake, the user can restore the old
// version.
func (s *session) checkReplaced(ctx context.Context, server *client.Client, at address, value interchange.Value,
	condition *client.WriteOptions) error {
	text, isText := value.String()
	name, found := assignment(text)
	if !isText || !found || condition.IfNoneMatch {
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
	if err != nil { // an object with a duplicate name, for example
		before = interchange.Raw(bytes.TrimSpace(entry.Value))
	}
	return confirmReplaced(ctx, at, "", before, name)
}

// confirmReplaced asks for confirmation before text that looks like an assignment replaces an object or array. The
// argument field is the path of the replaced field, or "" if the whole entry is replaced. The argument before is the
// old value of this field or entry. The argument name is the name in the assignment. Without a terminal,
// confirmReplaced returns a usage error.
func confirmReplaced(ctx context.Context, at address, field string, before interchange.Value, name string) error {
	holder := at.String()
	if field != "" {
		holder = fmt.Sprintf("the field %q of %s", field, at)
	}
	var kind, count, remedy string
	switch text := before.JSON(); {
	case bytes.HasPrefix(text, []byte("{")):
		kind = "an object"
		if before.IsObject() {
			count = fmt.Sprintf(" with %d names", len(before.Names()))
		}
		remedy = fmt.Sprintf("to change a field, use lockbox set %s --field %s VALUE", at,
			printable(fieldToSet(field, before, name)))
		if field == "" {
			remedy += fmt.Sprintf(", or lockbox import %s FILE --merge", at)
		}
	case bytes.HasPrefix(text, []byte("[")):
		kind = "an array"
		remedy = "to change an element, write the whole array as JSON with @FILE or --stdin"
	default:
		return nil
	}
	remedy += "; to store the text, add --string"
	agreed, err := prompt.Yes(ctx,
		printable(fmt.Sprintf("%s holds %s%s. Replace the value with this text?", holder, kind, count)))
	switch {
	case errors.Is(err, prompt.ErrNoTerminal):
		return &usageError{fmt.Errorf("%s holds %s, which this text would replace: %s", holder, kind, remedy)}
	case err != nil:
		return err
	case !agreed:
		return fmt.Errorf("not confirmed; nothing was changed; %s", remedy)
	}
	return nil
}

// fieldToSet returns the path of the field that the user probably meant. A message shows this path. The argument field
// is the path of the object in the entry, or "" if the object is the whole entry. If the object is not the whole entry
// and contains a field at the path in the argument name, the result ends with this path. Otherwise, the result ends
// with the placeholder NAME, because the text in the argument may be part of a secret.
func fieldToSet(field string, object interchange.Value, name string) string {
	if field == "" {
		return "NAME"
	}
	for _, path := range []string{name, strings.TrimPrefix(name, field+".")} {
		if _, err := object.Field(path); err == nil && path != "" && !slices.ContainsFunc([]rune(path), isHidden) {
			return field + "." + path
		}
	}
	return field + ".NAME"
}
