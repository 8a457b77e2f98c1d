package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// options holds the flags.
type options struct {
	faults   int
	program  string // the binary to test
	bin      string // the folder with PostgreSQL's programs
	json     string // the file to write the report to
	keep     bool   // keep the folder with the logs
	async    bool
	untimed  bool // judge no durations
	accounts int
	interval time.Duration
}

// settle is the time for which the load runs undisturbed before the first fault and after the recovery from each fault.
const settle = 2 * time.Second

// result describes the effects of one fault.
type result struct {
	Fault  string    `json:"fault"`
	At     time.Time `json:"at"`
	Outage seconds   `json:"database_outage_seconds"`
	// Servers has one result per Lockbox server.
	Servers  []serverResult `json:"servers"`
	unfenced bool
	end      time.Time
}

// serverResult describes how a fault affected the writes through one server.
type serverResult struct {
	Server string  `json:"server"`
	Outage seconds `json:"outage_seconds"`
	// Share is the part of the outage after the database accepted writes again. Lockbox is responsible for this part.
	Share seconds `json:"lockbox_share_seconds"`
}

// run is one run: the cluster, the servers and the load.
type run struct {
	options options
	out     io.Writer
	folder  string
	cluster *cluster
	servers []*lockbox
	load    *load
	probe   *probe
	results []result
	version string // of PostgreSQL
}

// execute starts all programs, causes the faults and verifies the outcome. If it finds a violation or fails, it keeps
// the folder with the logs.
func execute(ctx context.Context, o options, out io.Writer) (made *report, err error) {
	r := &run{options: o, out: out}
	if err := r.start(ctx); err != nil {
		return nil, err
	}
	defer func() {
		if !o.keep && err == nil && len(made.Examples) == 0 {
			_ = os.RemoveAll(r.folder)
			return
		}
		_, _ = fmt.Fprintln(out, "the logs are in", r.folder)
	}()
	// If the cluster does not recover from a fault, the run ends early. The results so far are still verified.
	var failed error
	for i := range o.faults {
		if failed = r.cause(ctx, i, nextFault(i)); failed != nil {
			failed = fmt.Errorf("fault %d, %s: %w", i+1, nextFault(i).name, failed)
			break
		}
	}
	r.load.stop()
	r.probe.stop()
	primary, err := r.cluster.primary(ctx)
	if err != nil {
		return nil, err
	}
	verdict, err := verify(ctx, r.load, primary.url(database), r.results)
	if err != nil {
		return nil, err
	}
	report := r.report(verdict)
	for _, each := range r.servers {
		if err := each.stop(); err != nil {
			return nil, err
		}
	}
	return report, failed
}

// start creates the networks, the cluster, the proxy, the servers and the load.
func (r *run) start(ctx context.Context) error {
	network, err := newNetwork(nodeCount)
	if err != nil {
		return fmt.Errorf("create networks (needs root): %w", err)
	}
	if r.folder, err = runFolder(); err != nil {
		return err
	}
	setup, err := newSetup(r.folder, r.options.bin, !r.options.async)
	if err != nil {
		return err
	}
	begun := time.Now()
	if r.cluster, err = startCluster(ctx, setup, network); err != nil {
		return fmt.Errorf("%w (logs: %s)", err, r.folder)
	}
	if err := startProxy(r.folder, r.cluster); err != nil {
		return err
	}
	proxied := fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/%s?sslmode=disable", appUser, password, proxyPort, database)
	for i, each := range []struct{ name, url string }{{"multi-host", r.cluster.multiHostURL()}, {"haproxy", proxied}} {
		server, err := startLockbox(ctx, r.options.program, r.folder, each.name, each.url, 5001+i)
		if err != nil {
			return err
		}
		r.servers = append(r.servers, server)
	}
	if r.version, err = r.cluster.version(ctx); err != nil {
		return err
	}
	accounts, err := createAccounts(ctx, r.servers[0], r.options.accounts)
	if err != nil {
		return err
	}
	r.load = startLoad(ctx, r.servers, accounts, r.options.interval)
	r.probe = startProbe(ctx, r.cluster)
	_, _ = fmt.Fprintf(r.out, "three nodes and two servers run after %.1f s\n", time.Since(begun).Seconds())
	return sleep(ctx, settle)
}

// cause injects a fault and undoes it, waits until the cluster is healthy again, and records the outages.
func (r *run) cause(ctx context.Context, number int, f fault) error {
	before, err := r.cluster.status(ctx)
	if err != nil {
		return err
	}
	begun := time.Now()
	if err := f.inject(ctx, before); err != nil {
		return err
	}
	if err := sleep(ctx, f.lasts); err != nil {
		return err
	}
	if err := f.undo(ctx, before); err != nil {
		return err
	}
	if err := r.cluster.awaitHealthy(ctx, 2*time.Minute); err != nil {
		return err
	}
	if err := sleep(ctx, settle); err != nil {
		return err
	}
	r.record(number, f, begun)
	return nil
}

// record computes the outages that a fault has caused. The fault began at the given time and has just ended.
func (r *run) record(number int, f fault, begun time.Time) {
	end := time.Now()
	result := result{
		Fault:    f.name,
		At:       begun,
		unfenced: f.unfenced,
		end:      end,
	}
	gap, recovered := longestGap(r.probe.between(begun, end), begun, end)
	result.Outage = seconds(gap.Seconds())
	line := fmt.Sprintf("%3d  %-20s  database %5.1f s", number+1, f.name, gap.Seconds())
	for _, server := range r.servers {
		outage, resumed := longestGap(r.load.acknowledged(server, begun, end), begun, end)
		// Lockbox is not responsible for the time during which the database accepted no writes.
		share := min(max(0, resumed.Sub(recovered)), max(0, outage-gap))
		result.Servers = append(result.Servers, serverResult{
			Server: server.name,
			Outage: seconds(outage.Seconds()),
			Share:  seconds(share.Seconds()),
		})
		line += fmt.Sprintf("   %s %5.1f s, share %4.1f s", server.name, outage.Seconds(), share.Seconds())
	}
	r.results = append(r.results, result)
	_, _ = fmt.Fprintln(r.out, line)
}

// faultAt returns the fault that was in effect at a time, or nil.
func faultAt(results []result, at time.Time) *result {
	for i, each := range results {
		if at.After(each.At) && at.Before(each.end) {
			return &results[i]
		}
	}
	return nil
}

// runFolder creates the folder of a run, in memory if possible. The user postgres can open files in the folder.
func runFolder() (string, error) {
	folder, err := os.MkdirTemp(dataParent(), "lockbox-ha-")
	if err != nil {
		return "", err
	}
	return folder, os.Chmod(folder, 0o755)
}

// newestBin returns the folder that contains the programs of the newest installed PostgreSQL, or "".
func newestBin() string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.Sort(found)
	if len(found) == 0 {
		return ""
	}
	return found[len(found)-1]
}

// refusals returns the number of failed requests for each reason, over all streams.
func (l *load) refusals() map[string]int {
	all := make(map[string]int)
	for _, s := range l.streams {
		for _, reason := range slices.Sorted(maps.Keys(s.refusals)) {
			all[reason] += s.refusals[reason]
		}
	}
	return all
}
