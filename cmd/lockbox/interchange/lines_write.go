package interchange

import (
	"io"
	"strings"
)

// WriteDotenv writes variables as a .env file that a POSIX shell reads the same (set -a; . ./.env). Values of letters,
// digits and a few signs stand as they are; others in single quotes, in which nothing is escaped; those that hold a single
// quote in double quotes, with a backslash before '"', '\', '$' and '`'. Line ends stand within the quotes as they are.
// A value with a NUL character is refused.
func WriteDotenv(out io.Writer, variables []Variable) error {
	if err := checkCarried(variables); err != nil {
		return err
	}
	return writeLines(out, variables, "", dotenvQuoted)
}

// WriteShell writes variables as lines of a POSIX shell, export NAME='value', for eval "$(lockbox export …)". A value with
// a NUL character is refused.
func WriteShell(out io.Writer, variables []Variable) error {
	if err := checkCarried(variables); err != nil {
		return err
	}
	return writeLines(out, variables, "export ", shellQuoted)
}

func writeLines(out io.Writer, variables []Variable, before string, quoted func(string) string) error {
	var text strings.Builder
	for _, each := range variables {
		text.WriteString(before + each.Name + "=" + quoted(each.Value) + "\n")
	}
	_, err := io.WriteString(out, text.String())
	return err
}

func dotenvQuoted(value string) string {
	if !strings.ContainsFunc(value, needsQuotes) {
		return value
	}
	if !strings.Contains(value, "'") {
		return "'" + value + "'"
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "`", "\\`").Replace(value) + `"`
}

func needsQuotes(c rune) bool {
	return !inName(c, true) && !strings.ContainsRune("./:@%+,-", c)
}

// shellQuoted puts a value into single quotes, in which a shell takes all but the single quote as it is.
func shellQuoted(value string) string {
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}
