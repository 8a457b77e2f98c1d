package interchange

import (
	"io"
	"strings"
)

// WriteDotenv writes variables as a .env file. A POSIX shell can read this file (set -a; . ./.env) and sets the same
// values. WriteDotenv does not quote a value of letters, digits and a few other characters. It puts a value that
// contains a single quote into double quotes, with a backslash before '"', '\', '$' and '`'. It puts all other values
// into single quotes, which need no escapes. It does not escape line ends. If a value contains a NUL character,
// WriteDotenv returns an error and writes nothing.
func WriteDotenv(out io.Writer, variables []Variable) error {
	if err := checkCarried(variables); err != nil {
		return err
	}
	return writeLines(out, variables, "", dotenvQuoted)
}

// WriteShell writes each variable as the POSIX shell command export NAME='value'. Users run these commands with eval
// "$(lockbox export …)". If a value contains a NUL character, WriteShell returns an error and writes nothing.
func WriteShell(out io.Writer, variables []Variable) error {
	if err := checkCarried(variables); err != nil {
		return err
	}
	return writeLines(out, variables, "export ", shellQuoted)
}

// writeLines writes an assignment for each variable. It calls Write once, with the whole text.
func writeLines(out io.Writer, variables []Variable, prefix string, quoted func(string) string) error {
	var text strings.Builder
	for _, each := range variables {
		text.WriteString(prefix + each.Name + "=" + quoted(each.Value) + "\n")
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// dotenvQuoted quotes a value as the comment of WriteDotenv describes. It puts the whole value into one pair of quotes,
// because most readers of .env files do not support a value in several quoted parts.
func dotenvQuoted(value string) string {
	if !strings.ContainsFunc(value, needsQuotes) {
		return value
	}
	if !strings.Contains(value, "'") {
		return "'" + value + "'"
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "`", "\\`").Replace(value) + `"`
}

// needsQuotes reports whether a value that contains the character must be quoted, because a shell or another reader of
// .env files could interpret the character. It also returns true for every character outside ASCII, because some
// locales count a few of these characters as blanks.
func needsQuotes(c rune) bool {
	return !isNameRune(c, true) && !strings.ContainsRune("./:@%+,-", c)
}

// shellQuoted puts a value into single quotes, in which a shell interprets only the closing quote.
func shellQuoted(value string) string {
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}
