package terminal

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
)

// maxEventsPerPage is the maximum number of events that a server returns in one response.
const maxEventsPerPage = 1000

// clockSkew is the maximum difference that lockbox audit expects between the clocks of servers that share a database.
// Events from different servers can be out of order by up to this duration.
const clockSkew = 10 * time.Second

// eventStream is a sequence of audit events, newest first. It fetches a page only when the caller reaches that page. An
// error ends the sequence.
type eventStream = iter.Seq2[client.Event, error]

// auditFlags are the flags of lockbox audit.
type auditFlags struct {
	// filter contains the conditions that the server checks, such as the action and the user of an event.
	filter client.EventFilter
	// limit is the maximum number of events to print; 0 means all. The server does not know this limit.
	limit int
	// since is the value of --since; see parseSince. Clocks can differ by clockSkew, so the command requests events
	// that are up to clockSkew older than this value. It prints only the events that are not older than the value.
	since string
}

// auditCommand shows the audit log of the server (GET /audit) or of a box (GET /boxes/{box}/audit). If the caller may
// not read the log, the exit code is exitForbidden and the command prints nothing. The command itself counts the events
// for --limit, because the limit in a request applies to one page only.
func auditCommand(s *session) *cobra.Command {
	var flags auditFlags
	command := &cobra.Command{
		Use:   "audit [BOX]",
		Short: "Show the audit log, newest events first",
		Long: `Show the audit log, newest events first. Without BOX, the command shows the events of the whole
server; only admins may see them. With BOX, it shows the events of that box; its boxadmins and admins may see them.
The command fetches events page by page, so a pager or head can end it early.`,
		Example: `  lockbox audit --limit 20
  lockbox audit prod --action entry.read --since 24h
  lockbox audit --user anna --limit 0 -o json | jq '.events[].action'`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeFirst(s.completeBoxes()),
	}
	command.Flags().StringVar(&flags.filter.Action, "action", "", "only events of this action, such as entry.read")
	command.Flags().StringVar(&flags.filter.User, "user", "", "only events of this user")
	command.Flags().IntVar(&flags.limit, "limit", 100,
		"maximum number of events, or 0 for all events; with --since, the default is 0")
	command.Flags().StringVar(&flags.since, "since", "",
		"only events since a time (2026-01-31 or 2026-01-31T12:00:00Z), "+
			"or within a period before now (90m, 24h, 7d or 2w)")
	command.Flags().StringVar(&flags.filter.Before, "before", "",
		"only events older than the event with this id; the field \"next\" of JSON output contains such an id")
	command.RunE = s.run(func(ctx context.Context, server *client.Client, args []string) error {
		since, err := parseSince(flags.since, time.Now())
		if err != nil {
			return err
		}
		if flags.limit < 0 {
			return &usageError{fmt.Errorf("--limit is %d: it must be 0 or more", flags.limit)}
		}
		flags.filter.Action = strings.ToLower(flags.filter.Action)
		// With --since, a user expects all events of the period, so the default limit does not apply.
		if flags.since != "" && !command.Flags().Changed("limit") {
			flags.limit = 0
		}
		return s.audit(ctx, server, args, flags, since)
	})
	return command
}

// parseSince parses the value of --since. The text can be a date, a time, or a duration such as 24h. A duration is
// counted back from now; see parseAge. A time without an offset from UTC is local time. For an empty text, parseSince
// returns the zero time, which selects all events.
func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, ok := parseAge(text); ok {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateTime, time.DateOnly} {
		if at, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return at, nil
		}
	}
	return time.Time{}, &usageError{fmt.Errorf("--since is %q: "+
		"use 90m, 24h, 7d, 2w, 2026-01-31, or 2026-01-31T12:00:00Z", text)}
}

// leadingDays matches the weeks and days at the beginning of a duration.
var leadingDays = regexp.MustCompile(`^(?:(\d{1,4})w)?(?:(\d{1,5})d)?`)

// parseAge parses a duration such as 90m, 7d, 2w or 1d12h. The duration can begin with weeks and days, where a day has
// 24 hours. The rest uses the syntax of time.ParseDuration. parseAge returns false for a negative duration and for a
// duration that does not fit in a time.Duration.
func parseAge(text string) (time.Duration, bool) {
	found := leadingDays.FindStringSubmatch(text)
	weeks, _ := strconv.Atoi("0" + found[1])
	days, _ := strconv.Atoi("0" + found[2])
	age := time.Duration(7*weeks+days) * 24 * time.Hour
	if rest := text[len(found[0]):]; rest != "" {
		hours, err := time.ParseDuration(rest)
		if err != nil || hours < 0 || rest[0] == '+' {
			return 0, false
		}
		age += hours
	}
	return age, text != "" && age >= 0
}

// audit prints the events of the box in args or, if args is empty, of the whole server.
func (s *session) audit(ctx context.Context, server *client.Client, args []string, flags auditFlags,
	since time.Time) error {
	filter := flags.filter
	filter.Limit = maxEventsPerPage
	// A small page size prevents the server from reading events that are not printed.
	if flags.limit > 0 {
		// Request one more event than the command prints, to find out whether more events exist.
		filter.Limit = min(flags.limit+1, maxEventsPerPage)
	}
	if !since.IsZero() {
		filter.Since = since.Add(-clockSkew)
	}
	// This call sends no request. The sequence fetches the first page when a loop over it starts.
	events := server.Events(ctx, &filter)
	if len(args) == 1 {
		events = server.BoxEvents(ctx, args[0], &filter)
	}
	events, err := awaitFirst(newerThan(events, since))
	if err != nil {
		return err
	}
	// Both output formats print events while pages arrive, so a long log needs little memory.
	if s.output == formatJSON {
		return s.auditJSON(events, flags.limit)
	}
	return s.auditTable(events, flags.limit)
}

// newerThan omits the events that are older than the argument since. Events can be out of order by up to clockSkew, so
// an omitted event can be followed by an event that is not older than since. The stream therefore ends only at an event
// that is older than since by more than clockSkew.
func newerThan(events eventStream, since time.Time) eventStream {
	return func(yield func(client.Event, error) bool) {
		for event, err := range events {
			switch {
			case err == nil && event.At.Before(since.Add(-clockSkew)):
				return
			case err == nil && event.At.Before(since):
			case !yield(event, err):
				return
			}
		}
	}
}

// awaitFirst fetches the first event before it returns. If the server refuses the request, awaitFirst returns the
// error. The caller has then not printed a header or the beginning of a JSON document.
func awaitFirst(events eventStream) (eventStream, error) {
	// Use Pull2, because a range loop cannot pause in a sequence and continue later. The function stop must be called
	// to release the sequence.
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

// auditTable prints columns of fixed width, so that each line can be printed before the next page arrives. If more
// events exist than the parameter limit allows, auditTable stops. It then prints a notice if standard error is a
// terminal.
func (s *session) auditTable(events eventStream, limit int) error {
	const layout = "%-19s  %-20s  %-9s  %-16s  %-15s  %s\n"
	if _, err := fmt.Fprintf(s.out, layout, "TIME", "ACTION", "OUTCOME", "USER", "ADDRESS", "SUBJECT"); err != nil {
		return err
	}
	printed := 0
	for event, err := range events {
		if err != nil {
			return err
		}
		if limit > 0 && printed == limit {
			s.report("More events exist; use --limit 0 to show all.")
			return nil
		}
		_, err = fmt.Fprintf(s.out, layout, formatTime(event.At), printable(event.Action), printable(event.Outcome),
			printable(cmp.Or(event.Actor, "-")), printable(cmp.Or(event.Address, "-")), printable(subjectOf(event)))
		if err != nil {
			return err
		}
		printed++
	}
	return nil
}

// subjectOf describes the subject of an event: an entry, a box, a user, or a user in a box.
func subjectOf(event client.Event) string {
	text := event.Box
	// An event about an entry always names the box of the entry.
	if event.Key != "" {
		text += "/" + event.Key
	}
	if event.Target != "" {
		if text != "" {
			text += " "
		}
		text += event.Target
	}
	if event.Suppressed > 0 {
		text += fmt.Sprintf(" (%d refusals)", event.Suppressed)
	}
	text = cmp.Or(text, "-")
	if len(event.Changes) > 0 {
		changes := make([]string, len(event.Changes))
		for i, change := range event.Changes {
			changes[i] = changeText(change)
		}
		text += " [" + strings.Join(changes, "; ") + "]"
	}
	return text
}

// changeText describes a change of a property. Examples are "role user -> admin" for a changed property, "role admin"
// for a new property and "no role, was admin" for a removed property.
func changeText(change client.EventChange) string {
	switch {
	case change.From == "":
		return change.Property + " " + change.To
	case change.To == "":
		return "no " + change.Property + ", was " + change.From
	}
	return change.Property + " " + change.From + " -> " + change.To
}

// auditJSON prints a document {"events":[…],"next":…} with the same fields as the server's response. It prints one
// event at a time. The field next contains the id to pass to --before, or null if no events remain.
func (s *session) auditJSON(events eventStream, limit int) error {
	if _, err := fmt.Fprint(s.out, "{\n  \"events\": ["); err != nil {
		return err
	}
	// json.Encoder cannot write a list incrementally, so the code below writes the brackets, commas and field names.
	printed, last, next := 0, "", []byte("null")
	for event, err := range events {
		if err != nil {
			return err
		}
		if limit > 0 && printed == limit {
			next, _ = json.Marshal(last) // encoding a string cannot fail
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
