package interchange

import (
	"bufio"
	"crypto/rand"
	"fmt"
	"io"
	"slices"
	"strings"
)

// maxEnvFileLine is the longest line that Docker and kubectl read, in bytes. Docker refuses a longer line. kubectl
// silently ignores a longer line and all lines after it.
const maxEnvFileLine = bufio.MaxScanTokenSize - 1

// WriteDocker writes variables as NAME=value lines without quotes, for docker run --env-file and kubectl create secret
// --from-env-file. Both programs take a value literally up to the end of the line. WriteDocker returns an error that
// names the variable if a line cannot hold the variable. This is the case if the value has line ends, if the line is
// longer than 64 KiB, or if Kubernetes refuses the name. It is also the case if the value is in quotes, because some
// versions of Docker and Podman remove the quotes. On an error, nothing is written.
func WriteDocker(out io.Writer, variables []Variable) error {
	if err := checkCarried(variables); err != nil {
		return err
	}
	for _, each := range variables {
		switch {
		case strings.ContainsAny(each.Value, "\n\r"):
			return fmt.Errorf("%s contains a line end, which a file of the format docker cannot hold: use another "+
				"format, "+
				"or lockbox run", each.Name)
		case len(each.Name)+1+len(each.Value) > maxEnvFileLine:
			return fmt.Errorf("%s is longer than the 64 KiB that a line of the format docker can hold", each.Name)
		case len(each.Name) > maxSubdomain:
			return fmt.Errorf("the name %.40s… is longer than the %d characters that a Kubernetes Secret allows",
				each.Name, maxSubdomain)
		case isQuoted(each.Value):
			return fmt.Errorf("%s is in quotes, which some readers of the format docker remove: use another format, "+
				"or lockbox run", each.Name)
		}
	}
	return writeLines(out, variables, "", func(value string) string { return value })
}

// isQuoted reports whether a value begins and ends with the same quote.
func isQuoted(value string) bool {
	return len(value) > 1 && (value[0] == '"' || value[0] == '\'') && value[0] == value[len(value)-1]
}

// githubOwn are prefixes of variable names. A GitHub runner sets these variables itself and does not accept them from a
// step. The runner also refuses NODE_OPTIONS.
var githubOwn = []string{"GITHUB_", "RUNNER_"}

// WriteGitHub writes variables in the format of the file $GITHUB_ENV of GitHub Actions. A value of several lines is
// enclosed in lines with a delimiter. The delimiter is random, so no line of the value can be mistaken for it.
// WriteGitHub returns an error that names the variable if a runner does not accept the variable, or if its value ends
// in CR, because runners on Windows remove a final CR. On an error, nothing is written. The caller must print
// WriteGitHubMasks first.
func WriteGitHub(out io.Writer, variables []Variable) error {
	if err := checkCarried(variables); err != nil {
		return err
	}
	var text strings.Builder
	for _, each := range variables {
		upper := strings.ToUpper(each.Name)
		switch {
		case upper == "NODE_OPTIONS", slices.ContainsFunc(githubOwn, func(prefix string) bool {
			return strings.HasPrefix(upper, prefix)
		}):
			return fmt.Errorf("GitHub Actions does not let a step set %s: rename the field, or use --prefix", each.Name)
		case strings.HasSuffix(each.Value, "\r"):
			return fmt.Errorf("%s ends in a carriage return, which GitHub Actions removes on Windows", each.Name)
		case strings.ContainsAny(each.Value, "\n\r"):
			// rand.Text has 128 bits and consists of letters and digits.
			delimiter := "lockbox_" + rand.Text()
			text.WriteString(each.Name + "<<" + delimiter + "\n" + each.Value + "\n" + delimiter + "\n")
		default:
			text.WriteString(each.Name + "=" + each.Value + "\n")
		}
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// WriteGitHubMasks writes workflow commands that make GitHub Actions replace the values with *** in the log. The step
// must print these commands before a value can appear in the log. Each line of a value has a separate mask, because the
// runner masks the log line by line. Blank values cannot be masked.
func WriteGitHubMasks(out io.Writer, variables []Variable) error {
	var text strings.Builder
	written := map[string]bool{}
	mask := func(value string) {
		if strings.TrimSpace(value) != "" && !written[value] {
			written[value] = true
			// The runner decodes these three escapes.
			escaped := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(value)
			text.WriteString("::add-mask::" + escaped + "\n")
		}
	}
	for _, each := range variables {
		mask(each.Value)
		for _, line := range strings.FieldsFunc(each.Value, func(c rune) bool { return c == '\n' || c == '\r' }) {
			mask(line)
		}
	}
	_, err := io.WriteString(out, text.String())
	return err
}
