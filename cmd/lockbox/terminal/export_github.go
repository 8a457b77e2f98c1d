package terminal

import (
	"bytes"
	"errors"
	"io"
	"os"

	"github.com/lockbox-go/lockbox/cmd/lockbox/interchange"
)

// exportGitHub passes variables to the later steps of a GitHub Actions job. It prints masks, which are commands that
// hide the values in the log of the job. It then appends the variables to the file of --file or $GITHUB_ENV. Without
// such a file, it prints the variables after the masks.
func (s *session) exportGitHub(variables []interchange.Variable, text []byte, file string) error {
	var masks bytes.Buffer
	if err := interchange.WriteGitHubMasks(&masks, variables); err != nil {
		return err
	}
	if file == "" {
		file = s.env("GITHUB_ENV")
	}
	if file == "" {
		return s.print(masks.String() + string(text))
	}
	//nolint:gosec // the user names the file
	target, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	// Standard output may be redirected to the same file, as in GitHub's examples. In that file, masks would be invalid
	// lines. In this case, print the masks on standard error, which the runner reads too.
	out := s.out
	if isSameFile(out, target) {
		out = s.errs
	}
	lines := masks.String()
	if isTerminal(out) {
		lines = printableLines(lines)
	}
	if _, err = io.WriteString(out, lines); err == nil {
		err = appendLines(target, text)
	}
	return errors.Join(err, target.Close())
}

// appendLines appends lines to a file. If the last line of the file has no line end, appendLines first adds one.
// Otherwise, the runner would read that line and the first new line as one variable.
func appendLines(target *os.File, lines []byte) error {
	last := []byte{'\n'}
	if info, err := target.Stat(); err == nil && info.Mode().IsRegular() && info.Size() > 0 {
		if _, err := target.ReadAt(last, info.Size()-1); err != nil {
			return err
		}
	}
	if last[0] != '\n' {
		lines = append([]byte{'\n'}, lines...)
	}
	_, err := target.Write(lines)
	return err
}

// isSameFile reports whether a stream writes to the given file.
func isSameFile(out io.Writer, file *os.File) bool {
	stream, ok := out.(*os.File)
	if stdout, wrapped := out.(*Stdout); wrapped {
		stream, ok = stdout.file, true
	}
	if !ok {
		return false
	}
	one, err := stream.Stat()
	if err != nil {
		return false
	}
	other, err := file.Stat()
	return err == nil && os.SameFile(one, other)
}
