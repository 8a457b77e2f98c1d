package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"
)

// A run must stay within these limits.
const (
	maxShare   = 3 * time.Second
	maxRequest = 20 * time.Second
)

// seconds is a duration in seconds. Its JSON form has three decimals.
type seconds float64

// MarshalJSON implements json.Marshaler.
func (s seconds) MarshalJSON() ([]byte, error) { return fmt.Appendf(nil, "%.3f", float64(s)), nil }

// report is the result of a run. Its JSON form is the content of the report file.
type report struct {
	Mode   string `json:"mode"`
	Faults int    `json:"faults"`
	// PostgreSQL is the version of the PostgreSQL servers.
	PostgreSQL string `json:"postgresql"`
	verdict
	LongestOutage  seconds `json:"longest_outage_seconds"`
	LongestShare   seconds `json:"longest_lockbox_share_seconds"`
	LongestRequest seconds `json:"longest_request_seconds"`
	// Repairs counts how often a standby had to be restarted, because Patroni did not recover it.
	Repairs int            `json:"repaired_standbys"`
	Refused map[string]int `json:"refused"`
	Kinds   []kindReport   `json:"kinds"`
	Results []result       `json:"results"`
}

// kindReport contains the number of faults of one kind and the longest outages that they caused.
type kindReport struct {
	Fault    string  `json:"fault"`
	Count    int     `json:"count"`
	Database seconds `json:"longest_database_outage_seconds"`
	Outage   seconds `json:"longest_outage_seconds"`
	Share    seconds `json:"longest_lockbox_share_seconds"`
}

// report sums up a run.
func (r *run) report(v *verdict) *report {
	p := &report{
		Mode:       "synchronous, strict",
		Faults:     len(r.results),
		PostgreSQL: r.version,
		verdict:    *v,
		Repairs:    r.cluster.repairs,
		Refused:    r.load.refusals(),
		Results:    r.results,
	}
	if r.options.async {
		p.Mode = "asynchronous"
	}
	kinds := make(map[string]*kindReport)
	for _, each := range r.results {
		kind := kinds[each.Fault]
		if kind == nil {
			kind = &kindReport{Fault: each.Fault}
			kinds[each.Fault] = kind
		}
		kind.Count++
		kind.Database = max(kind.Database, each.Outage)
		for _, server := range each.Servers {
			kind.Outage, kind.Share = max(kind.Outage, server.Outage), max(kind.Share, server.Share)
		}
		p.LongestOutage, p.LongestShare = max(p.LongestOutage, kind.Outage), max(p.LongestShare, kind.Share)
	}
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		p.Kinds = append(p.Kinds, *kinds[name])
	}
	for _, s := range r.load.streams {
		for _, each := range slices.Concat(s.writes, s.reads) {
			p.LongestRequest = max(p.LongestRequest, seconds(each.end.Sub(each.begun).Seconds()))
		}
	}
	return p
}

// failures lists the broken promises of a run. It checks durations only if timed is set. With asynchronous replication,
// it accepts lost writes, missing audit events and stale reads.
func (p *report) failures(timed bool) []string {
	var broken []string
	check := func(holds bool, format string, args ...any) {
		if !holds {
			broken = append(broken, fmt.Sprintf(format, args...))
		}
	}
	check(p.Acknowledged > 0 && p.Reads > 0, "no request was acknowledged")
	check(p.Doubled == 0, "%d writes were stored twice", p.Doubled)
	if p.Mode != "asynchronous" {
		check(p.Lost == 0, "%d acknowledged writes were lost", p.Lost)
		check(p.Unaudited == 0, "%d acknowledged requests have no audit event", p.Unaudited)
		check(p.Stale == p.StaleUnfenced, "%d reads were stale, although no former primary was running",
			p.Stale-p.StaleUnfenced)
	}
	if !timed {
		return broken
	}
	check(p.LongestRequest <= seconds(maxRequest.Seconds()), "a request took %.1f s", float64(p.LongestRequest))
	if p.Mode == "asynchronous" {
		return broken // with this mode, outages are shorter than the deadlines of statements
	}
	check(p.LongestShare <= seconds(maxShare.Seconds()),
		"writes to Lockbox failed for %.1f s after the database accepted writes again", float64(p.LongestShare))
	return broken
}

// print writes the report as a table.
func (p *report) print(out io.Writer) {
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(out, format+"\n", args...) }
	line("\n%-22s %5s %12s %12s %15s", "fault", "count", "database", "writes", "Lockbox's share")
	for _, kind := range p.Kinds {
		line("%-22s %5d %10.1f s %10.1f s %13.1f s", kind.Fault, kind.Count, float64(kind.Database),
			float64(kind.Outage), float64(kind.Share))
	}
	line("\nreplication: %s; acknowledged: %d writes, %d reads; stored versions: %d", p.Mode, p.Acknowledged, p.Reads,
		p.Versions)
	line("lost writes: %d, doubled writes: %d, stale reads: %d (%d while a former primary ran), "+
		"requests without audit event: %d", p.Lost, p.Doubled, p.Stale, p.StaleUnfenced, p.Unaudited)
	line("longest outage %.1f s, Lockbox's share at most %.1f s, longest request %.1f s", float64(p.LongestOutage),
		float64(p.LongestShare), float64(p.LongestRequest))
	for _, reason := range slices.Sorted(maps.Keys(p.Refused)) {
		line("  %-40s %d", reason, p.Refused[reason])
	}
	for _, example := range p.Examples {
		line("  %s", example)
	}
}

// save writes the report as JSON.
func (p *report) save(path string) error {
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}
