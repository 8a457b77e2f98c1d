package terminal

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
)

// mostEvents is how many events the server gives in one answer.
const mostEvents = 1000

type auditFlags struct {
	filter client.EventFilter
	limit  int
	since  string
}

func auditCommand(s *session) *cobra.Command {
	var flags auditFlags
	command := &cobra.Command{
		Use:   "audit [BOX]",
		Short: "Show the record, or that of one box, newest first",
		Long: `Show the record of who did what, newest first: all of it for admins, that of a box for its boxadmins. It comes page by
page, so that a pager or head that has seen enough ends it.`,
		Example: `  lockbox audit --limit 20
  lockbox audit prod --action entry.read --since 24h
  lockbox audit --user anna --limit 0 -o json | jq '.events[].action'`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: first(s.completeBoxes()),
	}
	command.Flags().StringVar(&flags.filter.Action, "action", "", "only this action, such as entry.read")
	command.Flags().StringVar(&flags.filter.User, "user", "", "only what this user did")
	command.Flags().IntVar(&flags.limit, "limit", 100, "how many at most, 0 for all; all by default with --since")
	command.Flags().StringVar(&flags.since, "since", "",
		"only since then: 90m, 24h, 2026-01-31, or 2026-01-31T12:00:00Z")
	command.Flags().StringVar(&flags.filter.Before, "before", "",
		"only what is older than this event; next of the JSON before")
	command.RunE = s.run(func(ctx context.Context, server *client.Client, args []string) error {
		since, err := parseSince(flags.since, time.Now())
		if err != nil {
			return err
		}
		if flags.limit < 0 {
			return &usageError{fmt.Errorf("--limit is %d: it must be 0 or more", flags.limit)}
		}
		if flags.since != "" && !command.Flags().Changed("limit") {
			flags.limit = 0
		}
		return s.audit(ctx, server, args, flags, since)
	})
	return command
}

// parseSince reads a time in the past; "" is the beginning.
func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	for _, form := range []string{time.RFC3339, time.DateTime, time.DateOnly} {
		if at, err := time.ParseInLocation(form, text, time.Local); err == nil {
			return at, nil
		}
	}
	return time.Time{}, &usageError{fmt.Errorf("--since is %q: write 90m, 24h, 2026-01-31, or 2026-01-31T12:00:00Z",
		text)}
}

func (s *session) audit(ctx context.Context, server *client.Client, args []string, flags auditFlags,
	since time.Time) error {
	filter := flags.filter
	filter.Limit = mostEvents
	if flags.limit > 0 {
		// One more, to know whether there is more.
		filter.Limit = min(flags.limit+1, mostEvents)
	}
	events := server.Events(ctx, &filter)
	if len(args) == 1 {
		events = server.BoxEvents(ctx, args[0], &filter)
	}
	events, err := begun(newerThan(events, since))
	if err != nil {
		return err
	}
	if s.output == formJSON {
		return s.auditJSON(events, flags.limit)
	}
	return s.auditTable(events, flags.limit)
}

// newerThan ends the record where it becomes older. Servers write it together, a second or so apart at most.
func newerThan(events iter.Seq2[client.Event, error], since time.Time) iter.Seq2[client.Event, error] {
	const apart = 10 * time.Second
	return func(yield func(client.Event, error) bool) {
		for event, err := range events {
			switch {
			case err == nil && event.At.Before(since.Add(-apart)):
				return
			case err == nil && event.At.Before(since):
			case !yield(event, err):
				return
			}
		}
	}
}

// begun waits for the first event, so that of a record that is refused nothing is printed: no header, no half of a JSON.
func begun(events iter.Seq2[client.Event, error]) (iter.Seq2[client.Event, error], error) {
	next, stop := iter.Pull2(events)
	event, err, more := next()
	if err != nil {
		stop()
		return nil, err
	}
	return func(yield func(client.Event, error) bool) {
		defer stop()
		for ; more; event, err, more = next() {
			if !yield(event, err) {
				return
			}
		}
	}, nil
}

// auditTable has columns of fixed widths, so that a line can be printed before the next page is there.
func (s *session) auditTable(events iter.Seq2[client.Event, error], limit int) error {
	const line = "%-19s  %-20s  %-9s  %-16s  %-15s  %s\n"
	if _, err := fmt.Fprintf(s.out, line, "TIME", "ACTION", "OUTCOME", "USER", "ADDRESS", "SUBJECT"); err != nil {
		return err
	}
	printed := 0
	for event, err := range events {
		if err != nil {
			return err
		}
		if limit > 0 && printed == limit {
			s.say("There is more: --limit 0 shows all.")
			return nil
		}
		_, err = fmt.Fprintf(s.out, line, when(event.At), printable(event.Action), printable(event.Outcome),
			printable(cmp.Or(event.Actor, "-")), printable(cmp.Or(event.Address, "-")), printable(subject(event)))
		if err != nil {
			return err
		}
		printed++
	}
	return nil
}

// subject is what an event is about: an entry, a box, a user, or a user in a box.
func subject(event client.Event) string {
	text := event.Box
	if event.Key != "" {
		text += "/" + event.Key
	}
	if event.Target != "" {
		if text != "" {
			text += " "
		}
		text += event.Target
	}
	return cmp.Or(text, "-")
}

// auditJSON prints {"events":[…],"next":…} as the server does, an event at a time. next is null where nothing is left.
func (s *session) auditJSON(events iter.Seq2[client.Event, error], limit int) error {
	if _, err := fmt.Fprint(s.out, "{\n  \"events\": ["); err != nil {
		return err
	}
	printed, last, next := 0, "", []byte("null")
	for event, err := range events {
		if err != nil {
			return err
		}
		if limit > 0 && printed == limit {
			next, _ = json.Marshal(last) // a string always can
			break
		}
		text, err := json.MarshalIndent(event, "    ", "  ")
		if err != nil {
			return err
		}
		separator := "\n    "
		if printed > 0 {
			separator = ",\n    "
		}
		if err := s.print(separator + string(text)); err != nil {
			return err
		}
		printed, last = printed+1, event.ID
	}
	end := "]"
	if printed > 0 {
		end = "\n  ]"
	}
	_, err := fmt.Fprintf(s.out, "%s,\n  \"next\": %s\n}\n", end, next)
	return err
}
