package terminal

import (
	"fmt"
	"io"
	"strings"

	"github.com/lockbox-go/lockbox/cmd/lockbox/interchange"
	"github.com/lockbox-go/lockbox/cmd/lockbox/prompt"
)

// showChanges prints the changes of a dry run by name. The table omits unchanged names; JSON includes them.
func (s *session) showChanges(changes interchange.Changes) error {
	err := s.show(changes, []string{"CHANGE", "NAME"}, func(add func(cells ...string)) {
		for _, kind := range []struct {
			label string
			names []string
		}{{"added", changes.Added}, {"changed", changes.Changed}, {"removed", changes.Removed}} {
			for _, name := range kind.names {
				add(kind.label, name)
			}
		}
	})
	s.report("Dry run: nothing was written. The import would have this result: %s.", summary(changes))
	return err
}

// showImported prints the result of an import. With --output json, it prints all names. Otherwise, it prints only the
// counts.
func (s *session) showImported(changes interchange.Changes) error {
	if s.output == formatJSON {
		return s.showJSON(changes)
	}
	s.report("Imported: %s.", summary(changes))
	return nil
}

// summary returns the number of added, changed, removed and unchanged names.
func summary(changes interchange.Changes) string {
	return fmt.Sprintf("%d added, %d changed, %d removed, %d unchanged",
		len(changes.Added), len(changes.Changed), len(changes.Removed), len(changes.Unchanged))
}

// progress is a progress bar. It counts the finished items, and draws a bar only on a terminal. It is not safe for
// concurrent use.
type progress struct {
	out         io.Writer // nil if nothing is drawn
	label       string
	done, total int
}

// barWidth is the width of the bar in characters. The bar, its label and its counts together fit into 80 columns.
const barWidth = 30

// progress returns a bar for total items. With --output json, the bar is not drawn, because the calling program may
// show the standard error of lockbox to its own user.
func (s *session) progress(label string, total int) *progress {
	bar := &progress{label: label, total: total}
	if s.output != formatJSON && prompt.IsTerminal(s.errs) {
		bar.out = s.errs
	}
	return bar
}

// step counts one finished item and redraws the bar.
func (p *progress) step() {
	p.done++
	if p.out == nil {
		return
	}
	full := barWidth * p.done / p.total
	fmt.Fprintf(p.out, "\r%s [%s%s] %d of %d", p.label, strings.Repeat("#", full), strings.Repeat(" ", barWidth-full),
		p.done, p.total)
}

// end moves to the next line, so that later output does not overwrite the bar.
func (p *progress) end() {
	if p.out != nil && p.done > 0 {
		fmt.Fprintln(p.out)
	}
}
