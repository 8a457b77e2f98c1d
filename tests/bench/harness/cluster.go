package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lockbox-go/lockbox/adapters/localpg"
)

// durable are the settings that must be on, or a commit would cost nothing.
var durable = []string{"fsync", "synchronous_commit", "full_page_writes"}

// cluster is a PostgreSQL that keeps what it commits.
type cluster struct {
	server     *localpg.Server
	postmaster int
	version    string
	pgbench    string
	settings   map[string]string
}

func startCluster(ctx context.Context) (*cluster, error) {
	server, err := localpg.Start(ctx, localpg.Config{Durable: true, Settings: map[string]string{
		"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on",
		"max_connections": "200",
		"shared_buffers":  sharedBuffers(),
		// No checkpoint for want of room in the log: it would fall on whoever happens to run.
		"max_wal_size": "8GB",
	}})
	if err != nil {
		return nil, err
	}
	c := &cluster{server: server, settings: make(map[string]string)}
	if err := c.look(ctx); err != nil {
		c.stop()
		return nil, err
	}
	return c, nil
}

// sharedBuffers is a quarter of the machine's memory, as PostgreSQL's manual says to begin with, but not more than what
// the largest scenario needs.
func sharedBuffers() string {
	const mostMB = 3072
	memory, _ := os.ReadFile("/proc/meminfo")
	return strconv.Itoa(max(128, min(mostMB, int(kilobytes(string(memory), "MemTotal:")/1024/4)))) + "MB"
}

// settle leaves nothing to be done later, and the tables in PostgreSQL's memory as far as they fit: what is run first would
// pay for it.
func (c *cluster) settle(ctx context.Context, database string) error {
	if err := c.execute(ctx, database, `VACUUM ANALYZE`, `CHECKPOINT`); err != nil {
		return err
	}
	if err := c.execute(ctx, database, `CREATE EXTENSION IF NOT EXISTS pg_prewarm`); err != nil {
		say("without the extension pg_prewarm the first reads come from the disk: %v", err)
		return nil
	}
	return c.execute(ctx, database, `SELECT sum(pg_prewarm(oid)) FROM pg_class WHERE relkind IN ('r', 'i', 't')
		AND relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN ('public', 'floor'))`)
}

func (c *cluster) stop() {
	if err := c.server.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "bench: stop PostgreSQL:", err)
	}
}

// look learns what runs there, and insists on what makes a commit durable.
func (c *cluster) look(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, c.server.URL("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for _, name := range append([]string{"server_version", "shared_buffers", "max_wal_size"}, durable...) {
		var value string
		if err := conn.QueryRow(ctx, "SHOW "+name).Scan(&value); err != nil {
			return err
		}
		c.settings[name] = value
	}
	for _, name := range durable {
		if c.settings[name] != "on" {
			return fmt.Errorf("PostgreSQL has %s = %s: the figures would mean nothing", name, c.settings[name])
		}
	}
	c.version = c.settings["server_version"]
	delete(c.settings, "server_version")
	c.postmaster = parentOf(int(conn.PgConn().PID()))
	c.pgbench = c.findPgbench()
	return nil
}

// findPgbench takes the one beside the server that runs, which distributions keep out of PATH.
func (c *cluster) findPgbench() string {
	if program, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", c.postmaster)); err == nil {
		beside := filepath.Join(filepath.Dir(program), "pgbench")
		if _, err := os.Stat(beside); err == nil {
			return beside
		}
	}
	return "pgbench"
}

// create makes an empty database and returns its URL.
func (c *cluster) create(ctx context.Context, name string) (string, error) {
	return c.server.URL(name), c.server.EnsureDatabase(ctx, name)
}

// execute runs statements, each by itself.
func (c *cluster) execute(ctx context.Context, database string, statements ...string) error {
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement, pgx.QueryExecModeSimpleProtocol); err != nil {
			return fmt.Errorf("%.60s: %w", statement, err)
		}
	}
	return nil
}

// floorSlice is what pgbench did in a slice.
type floorSlice struct {
	rate float64 // a second
	cpu  float64 // seconds of pgbench and PostgreSQL for each
}

// floor runs a script by pgbench. It makes new connections each time, which have to learn of the tables and to plan: that
// second is not counted in the rate.
func (c *cluster) floor(ctx context.Context, database, script string, connections int,
	duration time.Duration) (floorSlice, error) {
	seconds := 1 + max(1, int(duration.Round(time.Second)/time.Second)) // it takes no fractions
	command := exec.CommandContext(ctx, c.pgbench, "-n", "-M", "prepared", "-c", strconv.Itoa(connections), "-j", "2",
		"-T", strconv.Itoa(seconds), "-P", "1", "-f", script, database)
	before := c.cpu()
	out, err := command.CombinedOutput()
	if err != nil {
		return floorSlice{}, fmt.Errorf("pgbench, which comes with PostgreSQL: %w\n%s", err, out)
	}
	used := c.cpu() - before + command.ProcessState.UserTime().Seconds() + command.ProcessState.SystemTime().Seconds()
	rate, count := warmRate(string(out))
	if rate <= 0 {
		return floorSlice{}, fmt.Errorf("pgbench gave no rate:\n%s", out)
	}
	return floorSlice{rate, used / count}, nil
}

// warmRate reads from what pgbench printed the rate without the first of its reports, which come once a second, and the
// count of all transactions; rate is 0 where it printed something else.
func warmRate(out string) (rate, count float64) {
	all, count := numberAfter(out, "tps = "), numberAfter(out, "number of transactions actually processed: ")
	seconds := numberAfter(out, "progress: ")
	_, report, _ := strings.Cut(out, " s, ")
	first, _, _ := strings.Cut(report, " tps")
	cold, err := strconv.ParseFloat(first, 64)
	if err != nil || all == 0 || count/all <= seconds {
		return 0, count
	}
	return (count - cold*seconds) / (count/all - seconds), count
}

// numberAfter finds the first number behind words at the beginning of a line; 0 where there is none.
func numberAfter(text, words string) float64 {
	for line := range strings.Lines(text) {
		if rest, found := strings.CutPrefix(line, words); found {
			number, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
			value, _ := strconv.ParseFloat(number, 64)
			return value
		}
	}
	return 0
}

// cpu is how many seconds all processes of PostgreSQL have used so far, those that have ended among them.
func (c *cluster) cpu() float64 { return cpuOfTree(c.postmaster) }
