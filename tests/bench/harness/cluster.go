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

// durable lists the settings that make commits durable, and therefore expensive.
var durable = []string{"fsync", "synchronous_commit", "full_page_writes"}

// cluster is a PostgreSQL server with durable commits.
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
		// A large WAL avoids checkpoints, because a checkpoint would slow the slice that runs at that time.
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

// sharedBuffers is a quarter of the machine's memory, which the PostgreSQL manual recommends as a starting point. Its
// upper bound is the size that the largest scenario needs.
func sharedBuffers() string {
	const mostMB = 3072
	memory, _ := os.ReadFile("/proc/meminfo")
	return strconv.Itoa(max(128, min(mostMB, int(kilobytes(string(memory), "MemTotal:")/1024/4)))) + "MB"
}

// settle runs VACUUM and CHECKPOINT, and loads as much of the tables into memory as fits. Without settle, PostgreSQL
// would do this work during the first slice and slow it.
func (c *cluster) settle(ctx context.Context, database string) error {
	if err := c.execute(ctx, database, `VACUUM ANALYZE`, `CHECKPOINT`); err != nil {
		return err
	}
	if err := c.execute(ctx, database, `CREATE EXTENSION IF NOT EXISTS pg_prewarm`); err != nil {
		say("without the extension pg_prewarm, the first reads come from the disk: %v", err)
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

// look reads the server's settings. It returns an error if commits are not durable.
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
			return fmt.Errorf("PostgreSQL has %s = %s, so the figures would not be valid", name, c.settings[name])
		}
	}
	c.version = c.settings["server_version"]
	delete(c.settings, "server_version")
	c.postmaster = parentOf(int(conn.PgConn().PID()))
	c.pgbench = c.findPgbench()
	return nil
}

// findPgbench returns the path of pgbench. It first searches the folder that contains the program of the PostgreSQL
// server, because distributions install pgbench there and not in PATH.
func (c *cluster) findPgbench() string {
	if program, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", c.postmaster)); err == nil {
		beside := filepath.Join(filepath.Dir(program), "pgbench")
		if _, err := os.Stat(beside); err == nil {
			return beside
		}
	}
	return "pgbench"
}

// create creates an empty database and returns its URL.
func (c *cluster) create(ctx context.Context, name string) (string, error) {
	return c.server.URL(name), c.server.EnsureDatabase(ctx, name)
}

// execute runs each statement separately.
func (c *cluster) execute(ctx context.Context, database string, statements ...string) error {
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	// The role has a timeout for the short statements of requests. This timeout could cancel the long statements of a
	// benchmark, so it is switched off.
	for _, statement := range append([]string{`SET statement_timeout = 0`}, statements...) {
		if _, err := conn.Exec(ctx, statement, pgx.QueryExecModeSimpleProtocol); err != nil {
			return fmt.Errorf("%.60s: %w", statement, err)
		}
	}
	return nil
}

// floorSlice is the result of pgbench in one slice.
type floorSlice struct {
	rate float64 // transactions per second
	cpu  float64 // CPU seconds of pgbench and PostgreSQL per transaction
}

// floor runs a pgbench script. The rate excludes the first second, in which the new connections load catalogs and plan
// statements.
func (c *cluster) floor(ctx context.Context, database, script string, connections int,
	duration time.Duration) (floorSlice, error) {
	seconds := 1 + max(1, int(duration.Round(time.Second)/time.Second)) // pgbench accepts whole seconds only
	command := exec.CommandContext(ctx, c.pgbench, "-n", "-M", "prepared", "-c", strconv.Itoa(connections), "-j", "2",
		"-T", strconv.Itoa(seconds), "-P", "1", "-f", script, database)
	before := c.cpu()
	out, err := command.CombinedOutput()
	if err != nil {
		return floorSlice{}, fmt.Errorf("pgbench (a program of PostgreSQL) failed: %w\n%s", err, out)
	}
	used := c.cpu() - before + command.ProcessState.UserTime().Seconds() + command.ProcessState.SystemTime().Seconds()
	rate, count := warmRate(string(out))
	if rate <= 0 {
		return floorSlice{}, fmt.Errorf("pgbench gave no rate:\n%s", out)
	}
	return floorSlice{rate, used / count}, nil
}

// warmRate parses pgbench's output. count is the number of all transactions. rate is the number of transactions per
// second after the first second, for which pgbench prints a separate report. If the output has an unexpected form, rate
// is 0.
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

// numberAfter finds the first line of text that begins with words, and returns the number that follows them. It returns
// 0 if there is no such line or no such number.
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

// cpu returns the CPU seconds that all PostgreSQL processes have used, including processes that have exited.
func (c *cluster) cpu() float64 { return cpuOfTree(c.postmaster) }
