package interchange

import (
	"io"
	"strings"
)

// WriteDotenv writes variables as a .env file that a POSIX shell reads with the same result (set -a; . ./.env). Values
// that consist of letters, digits and a few other characters are not quoted. Values that contain a single quote are in
// double quotes, with a backslash before '"', '\', '$' and '`'. All other values are in single quotes, which need no
// escapes. Line ends inside quotes are written unchanged. A value with a NUL character is an error, and nothing is
// written.
func WriteDotenv(out io.Writer, variables []Variable) error {
	if err := checkCarried(variables); err != nil {
		return err
	}
	return writeLines(out, variables, "", dotenvQuoted)
}

// WriteShell writes each variable as the POSIX shell command export NAME='value'. Users run these commands with eval
// "$(lockbox export …)". A value with a NUL character is an error, and nothing is written.
func WriteShell(out io.Writer, variables []Variable) error {
	if err := checkCarried(variables); err != nil {
		return err
	}
	return writeLines(out, variables, "export ", shellQuoted)
}

// writeLines writes one assignment per variable, in a single write.
func writeLines(out io.Writer, variables []Variable, prefix string, quoted func(string) string) error {
	var text strings.Builder
	for _, each := range variables {
		text.WriteString(prefix + each.Name + "=" + quoted(each.Value) + "\n")
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// dotenvQuoted quotes a value as WriteDotenv documents. It puts the whole value into one pair of quotes, because most
// readers of .env files do not support a value in several quoted parts.
func dotenvQuoted(value string) string {
	if !strings.ContainsFunc(value, needsQuotes) {
		return value
	}
	if !strings.Contains(value, "'") {
		return "'" + value + "'"
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "`", "\\`").Replace(value) + `"`
}

// needsQuotes reports whether a character can have a meaning in a shell or in a reader of .env files. Characters
// outside ASCII are quoted too, because some locales treat some of them as blanks.
func needsQuotes(c rune) bool {
	return !isNameRune(c, true) && !strings.ContainsRune("./:@%+,-", c)
}

// shellQuoted puts a value into single quotes, in which a shell interprets only the closing quote.
func shellQuoted(value string) string {
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}
