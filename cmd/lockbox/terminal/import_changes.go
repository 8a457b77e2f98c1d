package terminal

import (
	"fmt"
	"io"
	"strings"

	"github.com/lockbox-go/lockbox/cmd/lockbox/interchange"
	"github.com/lockbox-go/lockbox/cmd/lockbox/prompt"
)

// showChanges prints what would change, by name. Names that stay as they are come with JSON alone, and are counted.
func (s *session) showChanges(changes interchange.Changes) error {
	err := s.show(changes, []string{"CHANGE", "NAME"}, func(add func(cells ...string)) {
		for _, kind := range []struct {
			word  string
			names []string
		}{{"added", changes.Added}, {"changed", changes.Changed}, {"removed", changes.Removed}} {
			for _, name := range kind.names {
				add(kind.word, name)
			}
		}
	})
	s.say("Nothing was changed. It would be: %s.", count(changes))
	return err
}

// showImported tells programs by name, and people in numbers, what an import came to.
func (s *session) showImported(changes interchange.Changes) error {
	if s.output == formJSON {
		return s.showJSON(changes)
	}
	s.say("Done: %s.", count(changes))
	return nil
}

func count(changes interchange.Changes) string {
	return fmt.Sprintf("%d added, %d changed, %d removed, %d unchanged",
		len(changes.Added), len(changes.Changed), len(changes.Removed), len(changes.Unchanged))
}

// progress draws how far a long work has come, on a terminal and nowhere else.
type progress struct {
	out         io.Writer
	doing       string
	done, total int
}

const barWidth = 30

func (s *session) progress(doing string, total int) *progress {
	bar := &progress{doing: doing, total: total}
	if s.output != formJSON && prompt.IsTerminal(s.errs) {
		bar.out = s.errs
	}
	return bar
}

// step counts one more. It is called by one goroutine at a time.
func (p *progress) step() {
	p.done++
	if p.out == nil {
		return
	}
	full := barWidth * p.done / p.total
	fmt.Fprintf(p.out, "\r%s [%s%s] %d of %d", p.doing, strings.Repeat("#", full), strings.Repeat(" ", barWidth-full),
		p.done, p.total)
}

// end leaves the line to what comes next.
func (p *progress) end() {
	if p.out != nil && p.done > 0 {
		fmt.Fprintln(p.out)
	}
}
