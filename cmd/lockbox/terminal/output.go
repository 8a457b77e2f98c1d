package terminal

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/lockbox-go/lockbox/cmd/lockbox/prompt"
)

// The forms of what a command prints.
const (
	formTable = "table"
	formJSON  = "json"
)

// show prints what a command found: as JSON for programs, or as the table that rows makes for people.
func (s *session) show(value any, header []string, rows func(add func(cells ...string))) error {
	if s.output == formJSON {
		return s.showJSON(value)
	}
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

func (s *session) showJSON(value any) error {
	encoder := json.NewEncoder(s.out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// showList prints names, one a line: nothing but the names, so that a pipe can go on with them.
func (s *session) showList(names []string) error {
	if s.output == formJSON {
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

// say tells somebody at a terminal what was done. Scripts have the exit code.
func (s *session) say(format string, args ...any) {
	if s.output != formJSON && prompt.IsTerminal(s.errs) {
		fmt.Fprintf(s.errs, format+"\n", args...)
	}
}

// warn tells everybody, on standard error, what must not be missed.
func (s *session) warn(format string, args ...any) {
	fmt.Fprintf(s.errs, "lockbox: "+format+"\n", args...)
}

// printable keeps what others have written from steering the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) {
			return '�'
		}
		return r
	}, text)
}

// when writes a time for people.
func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// PrintError writes an error for people: on one line, in red on a terminal that may have colours (no-color.org).
func PrintError(out io.Writer, err error) {
	label := "lockbox:"
	if prompt.IsTerminal(out) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" {
		label = "\x1b[31mlockbox:\x1b[0m"
	}
	fmt.Fprintln(out, label, Explain(err))
}
