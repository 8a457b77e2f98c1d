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
// --from-env-file. Both programs use the rest of the line as the value and interpret no character in it. WriteDocker
// returns an error and writes nothing if a value contains a line end, if a line would be longer than 64 KiB, or if a
// name is too long for Kubernetes. A value that begins and ends with a quote is also an error, because some versions of
// Docker and Podman remove these quotes. The error names the variable.
func WriteDocker(out io.Writer, variables []Variable) error {
	if err := checkCarried(variables); err != nil {
		return err
	}
	for _, each := range variables {
		switch {
		case strings.ContainsAny(each.Value, "\n\r"):
			return fmt.Errorf("%s contains a line end, which --format docker does not support: "+
				"use another format, or lockbox run", each.Name)
		case len(each.Name)+1+len(each.Value) > maxEnvFileLine:
			return fmt.Errorf("%s is too long for --format docker: a line can have at most 64 KiB",
				each.Name)
		case len(each.Name) > maxSubdomain:
			return fmt.Errorf("the name %.40s… is longer than the %d characters that a Kubernetes Secret allows",
				each.Name, maxSubdomain)
		case isQuoted(each.Value):
			return fmt.Errorf("%s begins and ends with a quote, "+
				"and some programs that read the output of --format docker remove such quotes: "+
				"use another format, or lockbox run",
				each.Name)
		}
	}
	return writeLines(out, variables, "", func(value string) string { return value })
}

// isQuoted reports whether a value begins and ends with the same quote.
func isQuoted(value string) bool {
	return len(value) > 1 && (value[0] == '"' || value[0] == '\'') && value[0] == value[len(value)-1]
}

// githubOwn has the prefixes of variables that a GitHub runner sets itself. The runner does not let a step set these
// variables. It also refuses NODE_OPTIONS.
var githubOwn = []string{"GITHUB_", "RUNNER_"}

// WriteGitHub writes variables in the format of the file $GITHUB_ENV of GitHub Actions. Before and after a value of
// several lines, it writes a line with a delimiter. The delimiter is random, because a value could otherwise contain it
// and set other variables. If the runner does not accept a variable, WriteGitHub returns an error and writes nothing.
// It does the same if a value ends in CR, because runners on Windows would remove this CR. The error names the
// variable. The caller must call WriteGitHubMasks first.
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
			// The delimiter has 128 random bits in letters and digits, so the value cannot contain it.
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
// must print these commands before a value can appear in the log. Each line of a value gets its own mask, because the
// runner searches each line of the log separately. Blank values cannot be masked.
func WriteGitHubMasks(out io.Writer, variables []Variable) error {
	var text strings.Builder
	written := map[string]bool{}
	mask := func(value string) {
		if strings.TrimSpace(value) != "" && !written[value] {
			written[value] = true
			// The runner decodes %25, %0D and %0A in a mask, so encode these three characters.
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
