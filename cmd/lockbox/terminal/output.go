package terminal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/lockbox-go/lockbox/cmd/lockbox/interchange"
	"github.com/lockbox-go/lockbox/cmd/lockbox/prompt"
)

// The values of --output.
const (
	// formatTable is text for people: tables, lists and single values.
	formatTable = "table"
	// formatJSON is JSON for programs, with the field names of the HTTP responses.
	formatJSON = "json"
)

// show prints a result. With --output json, it prints value as JSON. Otherwise, it prints a table with the cells that
// the function rows adds. If header is nil, the table has no header. Cells may contain text from the server, so each
// cell passes through printable.
func (s *session) show(value any, header []string, rows func(add func(cells ...string))) error {
	if s.output == formatJSON {
		return s.showJSON(value)
	}
	// Two blanks separate the columns, so scripts can distinguish a separator from a single blank inside a cell.
	table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	if len(header) > 0 {
		fmt.Fprintln(table, strings.Join(header, "\t"))
	}
	rows(func(cells ...string) {
		for i, cell := range cells {
			cells[i] = printable(cell)
		}
		fmt.Fprintln(table, strings.Join(cells, "\t"))
	})
	return table.Flush()
}

// showJSON prints a value as indented JSON. It does not escape <, > and &, which only HTML needs.
func (s *session) showJSON(value any) error {
	var plain bytes.Buffer
	encoder := json.NewEncoder(&plain)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return err
	}
	text, err := interchange.Indented(bytes.TrimSpace(plain.Bytes()))
	if err != nil {
		return err
	}
	return s.print(string(text))
}

// print writes text to standard output. In a file or a pipe, the text is unchanged. On a terminal, the text passes
// through printableLines, because a value from another user could control the terminal or look like a different text.
// JSON needs the same protection, because it may contain unescaped control characters such as U+007F.
func (s *session) print(text string) error {
	if isTerminal(s.out) {
		text = printableLines(text)
	}
	_, err := io.WriteString(s.out, text)
	return err
}

// showList prints names, one per line and without a header, so that other programs can read them.
func (s *session) showList(names []string) error {
	// An empty list must be [] and not null.
	if s.output == formatJSON {
		if names == nil {
			names = []string{}
		}
		return s.showJSON(names)
	}
	for _, name := range names {
		if _, err := fmt.Fprintln(s.out, printable(name)); err != nil {
			return err
		}
	}
	return nil
}

// report prints a notice on standard error, but only if standard error is a terminal and the output is not JSON.
// Scripts use the exit code instead.
func (s *session) report(format string, args ...any) {
	if s.output != formatJSON && prompt.IsTerminal(s.errs) {
		fmt.Fprintln(s.errs, printable(fmt.Sprintf(format, args...)))
	}
}

// warn always prints a warning to standard error, even in scripts and with --output json.
func (s *session) warn(format string, args ...any) {
	fmt.Fprintln(s.errs, "lockbox: "+printable(fmt.Sprintf(format, args...)))
}

// formatTime formats a time for people, in the local time zone. The zero time is "-".
func formatTime(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// PrintError prints an error message for people. The label is red on a terminal, unless NO_COLOR (no-color.org) is set
// or the terminal cannot show colours.
func PrintError(out io.Writer, err error) {
	label := "lockbox:"
	if prompt.IsTerminal(out) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" {
		label = "\x1b[31mlockbox:\x1b[0m"
	}
	fmt.Fprintln(out, label, printableLines(Explain(err)))
}
