package terminal

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

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

// fieldSpace is the white space that may precede a field or separate its words.
const fieldSpace = "\t\n\f\r "

// looksLikeFields reports whether text is meant to change fields: an object in JSON, or NAME=VALUE lines as in a .env
// file. Empty lines and comments may precede the first such line. It reads only the beginning of the text, because a
// value can be many megabytes long.
func looksLikeFields(text string) bool {
	text = strings.TrimLeft(text, fieldSpace)
	for strings.HasPrefix(text, "#") {
		_, rest, _ := strings.Cut(text, "\n")
		text = strings.TrimLeft(rest, fieldSpace)
	}
	if object, ok := strings.CutPrefix(text, "{"); ok {
		object = strings.TrimLeft(object, fieldSpace)
		return strings.HasPrefix(object, `"`) || strings.HasPrefix(object, "}")
	}
	if rest, ok := strings.CutPrefix(text, "export"); ok {
		if name := strings.TrimLeft(rest, fieldSpace); len(name) < len(rest) && beginsAssignment(name) {
			return true
		}
	}
	return beginsAssignment(text)
}

// beginsAssignment reports whether text begins with NAME= or NAME:=, with at most one white space after the name.
func beginsAssignment(text string) bool {
	inName := func(c byte, more string) bool {
		return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || strings.IndexByte(more, c) >= 0
	}
	if text == "" || !inName(text[0], "_") {
		return false
	}
	end := 1
	for end < len(text) && inName(text[end], "_.[]-") {
		end++
	}
	text = text[end:]
	if text != "" && strings.IndexByte(fieldSpace, text[0]) >= 0 {
		text = text[1:]
	}
	return strings.HasPrefix(strings.TrimPrefix(text, ":"), "=")
}

// assignedName matches the part of a line before a possible assignment: a name or a path without blanks, or a name in
// quotes. The characters before the name are those of shells, YAML, JSON and JSONPath.
var assignedName = regexp.MustCompile(`^\s*(?:export\s+|set\s+|-\s+|--)?("[^"]+"|'[^']+'|[^\s=#]+)$`)

// maxAssignedName bounds the length of such a name, in bytes.
const maxAssignedName = 256

// assignedNames returns the names and paths to which the lines of a text could assign, such as db.password for
// "db.password: new", normalized by normalizedName. The colon before the // of a URL assigns nothing.
func assignedNames(text string) (names []string) {
	for line := range strings.Lines(text) {
		for i := 0; i < min(len(line), maxAssignedName); i++ {
			if line[i] != '=' && line[i] != ':' || strings.HasPrefix(line[i:], "://") {
				continue
			}
			left := strings.TrimRight(strings.TrimSuffix(line[:i], ":"), " \t")
			if found := assignedName.FindStringSubmatch(left); found != nil {
				if name := normalizedName(found[1]); name != "" {
					names = append(names, name)
				}
			}
			if line[i] == '=' {
				break // the rest of the line is the value
			}
		}
	}
	return names
}

// normalizedName returns a name or a path in lower case, with '_' in place of all separators. Different spellings of a
// path become equal: db.password, /db/password, $['db']['password'] and DB_PASSWORD.
func normalizedName(path string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(path), func(r rune) bool {
		return r < utf8.RuneSelf && (r < 'a' || r > 'z') && (r < '0' || r > '9')
	}), "_")
}

// namesField reports whether one of the normalized names is the path of a field of an object, or of an element of an
// array in it. prefix is the normalized path of the object.
func namesField(object interchange.Value, prefix string, names []string) bool {
	for _, field := range object.Names() {
		path := normalizedName(prefix + "." + field)
		value, _ := object.Member(field)
		for _, name := range names {
			rest, found := strings.CutPrefix(name, path)
			if found && path != "" && (rest == "" || isIndex.MatchString(rest)) {
				return true
			}
		}
		if value.IsObject() && namesField(value, path, names) {
			return true
		}
	}
	return false
}

// isIndex matches the normalized index of an element of an array.
var isIndex = regexp.MustCompile(`^_[0-9]+(_|$)`)

// checkReplaced asks before text that looks like fields replaces an object. Without a terminal it returns a usage error
// that names the commands that change fields.
//
// Text looks like fields if it has the form of NAME=VALUE or JSON, or if a line begins with the name or the path of a
// field of the object and = or :.
//
// It does not check an entry that the user cannot read or decrypt, because the permission to write must be enough for a
// write. The old version can be restored.
func (s *session) checkReplaced(ctx context.Context, server *client.Client, at address, value interchange.Value,
	condition *client.WriteOptions) error {
	text, isText := value.String()
	names := assignedNames(text)
	looksLike := looksLikeFields(text)
	if !isText || !looksLike && len(names) == 0 || condition.IfNoneMatch {
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
	if !looksLike && !namesField(before, "", names) {
		return nil
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
