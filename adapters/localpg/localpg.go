// Package localpg runs a private PostgreSQL server from the installed binaries, for `lockbox dev` and for tests.
//
// The server listens only on a Unix socket. Only the user that PostgreSQL runs as, and root, can enter the directory of
// the socket. The server accepts only connections of root and of the operating system user who started it. The kernel
// identifies the user of each connection (peer authentication), so no password exists. If PostgreSQL runs as another
// user, that user's other programs cannot connect. The server stops when the program ends, even after SIGKILL.
// PostgreSQL refuses to run as root; for root, the server runs as the user postgres or `nobody`.
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
)

// superuser is the database superuser of a private cluster.
const superuser = "lockbox"

// Unprivileged is the role that owns each database that UnprivilegedDatabase creates. The first call of
// UnprivilegedDatabase in a cluster creates the role.
const Unprivileged = "lockbox_unprivileged"

// Config configures a Server. The zero value describes a temporary server that favors speed over durability.
type Config struct {
	// Dir is the directory of the cluster. Start creates it if necessary. Only one program at a time can use it. If the
	// program runs as root, PostgreSQL runs as another user. If that user cannot reach Dir, Start uses a directory in
	// /var/lib whose name is derived from Dir. An empty Dir means a temporary directory. This directory is removed
	// after the server has stopped, even if the program was killed.
	Dir string
	// TempParent is the parent of the temporary directory. If TempParent is empty, or if PostgreSQL's user cannot reach
	// TempParent, the parent is the system's temporary directory.
	TempParent string
	// Durable makes committed data survive a crash of the machine. Without Durable, the server is faster. A crash of
	// PostgreSQL can then lose the most recent commits, and a crash of the machine can destroy the cluster.
	Durable bool
	// Settings are server parameters, such as max_connections. They override the defaults of this package.
	Settings map[string]string
	// Log receives the server's log. Slow writes to Log slow the server down. Nil means the file run/postgres.log in
	// Dir.
	Log io.Writer
}

// Server is a running PostgreSQL server. It is safe for concurrent use.
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

// The map running contains every Server that runs. Without it, the garbage collector could close the pipe of a Server
// that the caller no longer refers to, and PostgreSQL would stop.
var running sync.Map

// Start starts a server and waits until it accepts connections. ctx limits only the start. Start first stops a server
// that an earlier program left running in the same Dir. It returns [ErrMissing] if PostgreSQL is not installed, and
// [ErrHeld] if another program uses Dir.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	who, err := serverAccount()
	if err != nil {
		return nil, err
	}
	place, err := settle(ctx, cfg.Dir, cfg.TempParent, who)
	if err != nil {
		return nil, fmt.Errorf("prepare the directory of PostgreSQL: %w", err)
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

// start prepares the cluster and launches the server. The caller has locked the lock file.
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
	orphan, err := s.stopOrphan(ctx)
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
	if err := s.home.writeAuthentication(); err != nil {
		return err
	}
	// Backends of a killed postmaster can keep its shared memory for a moment. PostgreSQL refuses to start until they
	// exit.
	for tries := 1; ; tries++ {
		err = s.launch(ctx, cfg)
		if err == nil || !orphan || tries == 5 || ctx.Err() != nil {
			return err
		}
		time.Sleep(time.Duration(tries) * 200 * time.Millisecond)
	}
}

// launch runs the server under its guard and waits until it accepts connections.
func (s *Server) launch(ctx context.Context, cfg Config) error {
	argv := append([]string{s.bin.postgres, "-D", s.home.data()}, s.settings(cfg)...)
	var temporary string
	if s.home.temporary {
		temporary = s.home.dir
	}
	var err error
	if s.proc, err = runGuarded(s.account, argv, temporary, s.strayDir(), s.home.log(), cfg.Log); err != nil {
		return err
	}
	if err := s.awaitReady(ctx); err != nil {
		s.proc.requestStop()
		return errors.Join(err, s.proc.await(stopTimeout))
	}
	return nil
}

// awaitReady tries to connect every 10 ms until an attempt succeeds. It fails when ctx ends or the server exits.
func (s *Server) awaitReady(ctx context.Context) error {
	for {
		if s.proc.exitedWithin(10 * time.Millisecond) {
			return fmt.Errorf("PostgreSQL in %s did not start: %s", s.home.dir, s.proc.logTail())
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

// settings returns the server parameters as command line arguments. A parameter in cfg.Settings overrides the default
// of this package.
func (s *Server) settings(cfg Config) []string {
	all := map[string]string{
		"hba_file":                s.home.hba(),
		"ident_file":              s.home.ident(),
		"listen_addresses":        "", // no TCP
		"port":                    socketPort,
		"unix_socket_directories": `"` + strings.ReplaceAll(s.sockets, `"`, `""`) + `"`,
		"unix_socket_permissions": "0700",
		"logging_collector":       "off",
		"log_destination":         "stderr",
		"timezone":                "UTC",
		"log_timezone":            "UTC",
	}
	if !cfg.Durable {
		// Commits do not wait for the disk. A crash of PostgreSQL loses at most the latest commits.
		maps.Copy(all, map[string]string{"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"})
	}
	maps.Copy(all, cfg.Settings)
	var args []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		args = append(args, "-c", name+"="+all[name])
	}
	return args
}

// URL returns the connection URL of a database. The URL normally stays the same after a restart in the same Dir. If the
// path of Dir is too long for a socket, each start uses another temporary directory, which changes the URL.
func (s *Server) URL(database string) string { return s.urlOf(superuser, database) }

// urlOf returns the connection URL of a database for a role.
func (s *Server) urlOf(role, database string) string {
	query := url.Values{"host": {s.sockets}, "port": {socketPort}}.Encode()
	// Encode encodes a space as "+", which PostgreSQL clients read literally.
	query = strings.ReplaceAll(query, "+", "%20")
	u := url.URL{
		Scheme:   "postgres",
		User:     url.User(role),
		Path:     "/" + database,
		RawQuery: query,
	}
	return u.String()
}

// SharedAccount returns the name of PostgreSQL's operating system user if unrelated programs also run as that user.
// Otherwise, it returns "". The unrelated programs cannot connect to the server, but they can read the files of the
// cluster.
func (s *Server) SharedAccount() string {
	if s.account.name == sharedUser {
		return sharedUser
	}
	return ""
}

// Dir returns the directory of the cluster, which can differ from Config.Dir; see [Config].
func (s *Server) Dir() string { return s.home.dir }
