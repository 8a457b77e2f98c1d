package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/lockbox-go/lockbox/tests/bench/load"
)

// report is the result of a run.
type report struct {
	Machine machine `json:"machine"`
	// StartMillis is the time from the start of the server process to its first answer. The database already has the
	// newest schema when the process starts.
	StartMillis float64 `json:"start_ms"`
	// The next three fields are the server's memory use. IdleMB is measured after the first answer. BusyMB is the peak
	// during reads, writes and lists. PeakMB is the peak of the whole run.
	IdleMB    float64    `json:"memory_idle_mb"`
	BusyMB    float64    `json:"memory_reading_writing_peak_mb"`
	PeakMB    float64    `json:"memory_peak_mb"`
	Scenarios []*figures `json:"scenarios"`
	Aims      []aim      `json:"aims"`
}

// figures are the results of one scenario over all its slices.
type figures struct {
	Scenario string     `json:"scenario"`
	Requests int        `json:"requests"`
	Failures int        `json:"failures"`
	Seconds  float64    `json:"seconds"`
	Rate     float64    `json:"requests_per_second"`
	Times    load.Times `json:"times"`
	CPU      cpu        `json:"cpu_seconds"`
	Wire     wireCounts `json:"database_per_request"`
	// Floor is the median rate of the floor, which floor.go describes. Ratio is the median of Ratios, which contains
	// one ratio per round: the rate of Lockbox divided by the rate of the floor.
	Floor  float64   `json:"floor_per_second,omitempty"`
	Ratio  float64   `json:"ratio_to_floor,omitempty"`
	Ratios []float64 `json:"ratios,omitempty"`
	// CPURatio is the CPU time per request of the floor divided by the CPU time per request of Lockbox. Both times
	// include all processes. If the CPU is the only bottleneck, CPURatio equals Ratio. Other load on the machine
	// affects CPURatio less than it affects Ratio.
	CPURatio  float64 `json:"ratio_of_processor_time,omitempty"`
	floors    []float64
	cpuRatios []float64
}

// aim is a target value and the result of the run.
type aim struct {
	What  string  `json:"what"`
	Found float64 `json:"found"`
	Holds bool    `json:"holds"`
}

func (r *report) of(scenario string) *figures {
	for _, f := range r.Scenarios {
		if f.Scenario == scenario {
			return f
		}
	}
	r.Scenarios = append(r.Scenarios, &figures{Scenario: scenario})
	return r.Scenarios[len(r.Scenarios)-1]
}

func (f *figures) add(slice load.Slice, used cpu) {
	f.Requests, f.Failures, f.Seconds = f.Requests+slice.Requests, f.Failures+slice.Failures, f.Seconds+slice.Seconds
	f.Rate, f.CPU = float64(f.Requests)/f.Seconds, f.CPU.plus(used)
}

func (f *figures) addFloor(floor floorSlice, slice load.Slice, used cpu) {
	f.floors, f.Ratios = append(f.floors, floor.rate), append(f.Ratios, slice.Rate()/floor.rate)
	f.Floor, f.Ratio = median(f.floors), median(f.Ratios)
	if used.sum() > 0 {
		f.cpuRatios = append(f.cpuRatios, floor.cpu/(used.sum()/float64(max(1, slice.Requests))))
		f.CPURatio = median(f.cpuRatios)
	}
}

func median(of []float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// rates returns one line of text with the current rate of each scenario.
func (r *report) rates(scenarios []string) string {
	var parts []string
	for _, name := range scenarios {
		f := r.of(name)
		part := fmt.Sprintf("%s %.0f/s", name, f.Rate)
		if f.Ratios != nil {
			part += fmt.Sprintf(" (%.2f of the floor)", f.Ratios[len(f.Ratios)-1])
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

func (r *report) judge() {
	r.Aims = nil
	check := func(what string, found float64, holds bool) { r.Aims = append(r.Aims, aim{what, found, holds}) }
	for _, f := range r.Scenarios {
		switch f.Scenario {
		case "read":
			check("reading an entry: at least 0.40 of the floor", f.Ratio, f.Ratio >= .4)
			tail := f.Times.P99 / f.Times.P50
			check("reading an entry: p99 below 12 × p50", tail, tail < 12)
		case "write":
			check("writing an entry: at least 0.30 of the floor", f.Ratio, f.Ratio >= .3)
		}
	}
	check("from exec to the first answer: below 200 ms", r.StartMillis, r.StartMillis < 200)
	if r.IdleMB > 0 {
		check("memory before the first password is hashed: below 25 MB", r.IdleMB, r.IdleMB < 25)
		check("memory under reads and writes: below 100 MB", r.BusyMB, r.BusyMB < 100)
	}
}

// holds returns "holds" if a figure reached its target, otherwise "MISSED".
func holds(reached bool) string {
	if reached {
		return "holds"
	}
	return "MISSED"
}

func (r *report) print(to io.Writer) {
	fmt.Fprintln(to, r.Machine)
	table := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\nscenario\trequests/s\tp50 ms\tp99 ms\tp99.9 ms\tfailures\tCPU s: "+
		"server\tPostgreSQL\tload\tstatements\tround trips\tbytes\tfloor/s\tof the floor\tby CPU time\t")
	for _, f := range r.Scenarios {
		floor, ratio, byCPU := "-", "-", "-"
		if f.Floor > 0 {
			floor, ratio = fmt.Sprintf("%.0f", f.Floor), fmt.Sprintf("%.2f", f.Ratio)
		}
		if f.CPURatio > 0 {
			byCPU = fmt.Sprintf("%.2f", f.CPURatio)
		}
		fmt.Fprintf(table, "%s\t%.0f\t%.2f\t%.2f\t%.2f\t%d\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.0f\t%s\t%s\t%s\t\n",
			f.Scenario, f.Rate, f.Times.P50, f.Times.P99,
			f.Times.P999, f.Failures, f.CPU.Server, f.CPU.Postgres, f.CPU.Load, f.Wire.Statements, f.Wire.RoundTrips,
			f.Wire.Bytes, floor, ratio, byCPU)
	}
	table.Flush()
	fmt.Fprint(to, "the columns \"statements\", \"round trips\" and \"bytes\" count the traffic per request "+
		"between the server and PostgreSQL; in the scenario \"revoke\", four HTTP requests count as one\n\n")
	for _, each := range r.Aims {
		fmt.Fprintf(to, "%-8s %s: %.2f\n", holds(each.Holds), each.What, each.Found)
	}
	if r.PeakMB > 0 {
		fmt.Fprintf(to, "peak memory of the server, including the scenarios with passwords and passphrases: %.0f MB\n",
			r.PeakMB)
	}
}

// write evaluates the figures and writes them to a file. If file is "", write creates a new file in
// tests/bench/results.
func (r *report) write(file string) error {
	r.judge()
	return writeJSON(file, "run", r)
}

func writeJSON(file, kind string, what any) error {
	if file == "" {
		file = filepath.Join("tests", "bench", "results", kind+"-"+time.Now().UTC().Format("20060102-150405")+".json")
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
	}
	text, err := json.MarshalIndent(what, "", "  ")
	if err != nil {
		return err
	}
	say("the figures are in %s", file)
	return os.WriteFile(file, append(text, '\n'), 0o644)
}
