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

// print prints text to the byte, but for a terminal, which somebody else's text must not steer: JSON too may hold control
// characters, those from 0x7f on.
func (s *session) print(text string) error {
	if prompt.IsTerminal(s.out) {
		text = printableLines(text)
	}
	_, err := io.WriteString(s.out, text)
	return err
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
		fmt.Fprintln(s.errs, printable(fmt.Sprintf(format, args...)))
	}
}

// warn tells everybody, on standard error, what must not be missed.
func (s *session) warn(format string, args ...any) {
	fmt.Fprintln(s.errs, "lockbox: "+printable(fmt.Sprintf(format, args...)))
}

// printable keeps what others have written from steering the terminal.
func printable(text string) string { return without(text, "") }

// printableLines is printable for text of several lines.
func printableLines(text string) string { return without(text, "\n\t") }

func without(text, but string) string {
	return strings.Map(func(r rune) rune {
		if (r < ' ' || r >= 0x7f && r < 0xa0) && !strings.ContainsRune(but, r) {
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
	fmt.Fprintln(out, label, printableLines(Explain(err)))
}
