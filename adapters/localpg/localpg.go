// Package localpg runs a private PostgreSQL from the machine's own binaries, for `lockbox dev` and for tests.
//
// The server listens on a Unix socket in a folder that only its user may enter, and on nothing else; that folder is
// what guards it, so connections need no password. It dies with the program, however the program ends. Under root,
// which PostgreSQL refuses, it runs as the user postgres or nobody.
package localpg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// superuser is the database role that owns everything in a private cluster.
const superuser = "lockbox"

// Config says where a server keeps its data and how much they matter.
type Config struct {
	// Dir holds the cluster and is made if it is missing. One program at a time may hold it. Under root, where the
	// PostgreSQL user cannot reach Dir, a folder of /var/lib named after it takes its place.
	// Empty means a temporary folder that goes when the server goes, even after a kill -9 of the program.
	Dir string
	// TempParent is the directory in which the temporary folder is created. If it is empty, or if the PostgreSQL user
	// cannot reach it, the default directory for temporary files is used.
	TempParent string
	// Durable keeps what is committed through a crash of the machine. Without it the server is faster, and a crash of
	// PostgreSQL alone loses at most the last moments.
	Durable bool
	// Settings are parameters of the server (max_connections, …). They win over the package's own.
	Settings map[string]string
	// Log receives the server's log; a slow writer slows the server. Nil leaves it in run/postgres.log of the cluster.
	Log io.Writer
}

// Server is a running PostgreSQL.
type Server struct {
	account account
	home    home
	bin     binaries
	lock    *os.File
	sockets string
	proc    *process

	mu    sync.Mutex
	ended bool
}

// running keeps the servers reachable. A caller may let go of a Server that is to last as long as the program; the
// garbage collector would then close the pipe that keeps PostgreSQL alive.
var running sync.Map

// Start starts the server and returns once it takes connections; ctx bounds the start alone. A server that an earlier
// program left behind in the same Dir is stopped first. The error is [ErrMissing] where PostgreSQL is not installed,
// and [ErrHeld] while another program holds Dir.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	who, err := serverAccount()
	if err != nil {
		return nil, err
	}
	place, err := settle(ctx, cfg.Dir, cfg.TempParent, who)
	if err != nil {
		return nil, fmt.Errorf("find a place for PostgreSQL: %w", err)
	}
	s := &Server{account: who, home: place}
	if s.lock, err = acquire(place.lock()); err != nil {
		if place.temporary {
			err = errors.Join(err, os.RemoveAll(place.dir))
		}
		return nil, err
	}
	if err := s.start(ctx, cfg); err != nil {
		return nil, errors.Join(err, s.release())
	}
	running.Store(s, nil)
	return s, nil
}

func (s *Server) start(ctx context.Context, cfg Config) error {
	major, err := s.home.major()
	if err != nil {
		return err
	}
	if s.bin, err = findBinaries(ctx, major); err != nil {
		return err
	}
	for _, dir := range []string{s.home.run(), s.home.dataIfMade()} {
		if err := s.account.own(dir); err != nil {
			return err
		}
	}
	left, err := s.stopOrphan(ctx)
	if err != nil {
		return err
	}
	if major == "" {
		if err := s.initCluster(ctx, cfg.Durable); err != nil {
			return err
		}
	}
	if err := s.placeSockets(ctx); err != nil {
		return err
	}
	// Backends of a killed postmaster may hold its shared memory for a moment longer, and PostgreSQL then rightly
	// refuses to start.
	for tries := 1; ; tries++ {
		err = s.launch(ctx, cfg)
		if err == nil || !left || tries == 5 || ctx.Err() != nil {
			return err
		}
		time.Sleep(time.Duration(tries) * 200 * time.Millisecond)
	}
}

// launch runs the server under its guard and waits for it to take connections.
func (s *Server) launch(ctx context.Context, cfg Config) error {
	argv := append([]string{s.bin.postgres, "-D", s.home.data()}, s.settings(cfg)...)
	var temporary string
	if s.home.temporary {
		temporary = s.home.dir
	}
	var err error
	if s.proc, err = runGuarded(s.account, argv, temporary, s.strayFolder(), s.home.log(), cfg.Log); err != nil {
		return err
	}
	if err := s.awaitReady(ctx); err != nil {
		s.proc.letGo()
		return errors.Join(err, s.proc.await(stopTimeout))
	}
	return nil
}

func (s *Server) awaitReady(ctx context.Context) error {
	for {
		if s.proc.goneWithin(10 * time.Millisecond) {
			return fmt.Errorf("PostgreSQL in %s did not start: %s", s.home.dir, s.proc.lastWords())
		}
		conn, err := pgx.Connect(ctx, s.URL("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		if ctx.Err() != nil {
			return fmt.Errorf("PostgreSQL in %s was not ready in time: %w", s.home.dir, err)
		}
	}
}

// settings are the server's command line: what makes it private and, last because the last one wins, what was asked.
func (s *Server) settings(cfg Config) []string {
	all := map[string]string{
		"listen_addresses":        "",
		"port":                    socketPort,
		"unix_socket_directories": `"` + strings.ReplaceAll(s.sockets, `"`, `""`) + `"`,
		"unix_socket_permissions": "0700",
		"logging_collector":       "off",
		"log_destination":         "stderr",
		"timezone":                "UTC",
		"log_timezone":            "UTC",
	}
	if !cfg.Durable {
		maps.Copy(all, map[string]string{"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"})
	}
	maps.Copy(all, cfg.Settings)
	var args []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		args = append(args, "-c", name+"="+all[name])
	}
	return args
}

// URL is how to connect to a database of the server. It stays the same over a restart in the same Dir, unless Dir is
// too long to hold a socket.
func (s *Server) URL(database string) string {
	query := url.Values{"host": {s.sockets}, "port": {socketPort}}.Encode()
	// A plus is a space in a form, but a plus to PostgreSQL's clients.
	query = strings.ReplaceAll(query, "+", "%20")
	u := url.URL{Scheme: "postgres", User: url.User(superuser), Path: "/" + database, RawQuery: query}
	return u.String()
}

// Dir is where the cluster lies; see [Config] for when that is not the folder that was asked for.
func (s *Server) Dir() string { return s.home.dir }

// EnsureDatabase makes the database unless it is there.
func (s *Server) EnsureDatabase(ctx context.Context, name string) error {
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	_, err = conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
	const duplicateDatabase = "42P04"
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok && refused.Code == duplicateDatabase {
		return nil
	}
	return err
}
