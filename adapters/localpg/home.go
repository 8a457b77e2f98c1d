package localpg

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	socketPort = "5432"
	// maxSocketPath is the maximum length of a socket path on macOS, in bytes. Linux allows 107.
	maxSocketPath = 103
)

// home is the directory of a cluster. It contains the data, the sockets, the log and the lock file.
type home struct {
	dir       string
	temporary bool // dir is removed when the server stops
}

// These methods return the paths of the parts. PostgreSQL's user owns the directories data and run. The user of this
// program owns the lock file.
func (h home) data() string { return filepath.Join(h.dir, "data") }
func (h home) run() string  { return filepath.Join(h.dir, "run") }
func (h home) lock() string { return filepath.Join(h.dir, "lock") }
func (h home) log() string  { return filepath.Join(h.run(), "postgres.log") }

// dataIfMade returns the data directory, or "" if the cluster does not exist yet.
func (h home) dataIfMade() string {
	if _, err := os.Lstat(h.data()); err != nil {
		return ""
	}
	return h.data()
}

// major returns the major version of PostgreSQL that created the cluster, or "" if the cluster does not exist yet.
func (h home) major() (string, error) {
	text, err := os.ReadFile(filepath.Join(h.data(), "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) && h.dataIfMade() == "" {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("%s is not a PostgreSQL cluster: %w", h.data(), err)
	}
	return strings.TrimSpace(string(text)), nil
}

// settle chooses and creates the directory of the cluster. The comments on Config.Dir and Config.TempParent describe
// the choice.
func settle(ctx context.Context, dir, tempParent string, who account) (home, error) {
	if dir == "" {
		temporary, err := temporaryDir(ctx, tempParent, who)
		return home{dir: temporary, temporary: true}, err
	}
	dir, err := resolve(dir)
	if err != nil {
		return home{}, err
	}
	if !who.switched {
		return home{dir: dir}, os.MkdirAll(dir, 0o700)
	}
	reached, err := who.reaches(ctx, nearest(dir))
	if reached {
		// With mode 0711, the account can reach the directories inside. These directories belong to the account, and
		// other users cannot enter them.
		if err := os.MkdirAll(dir, 0o711); err != nil { //nolint:gosec // see above
			return home{}, err
		}
		reached, err = who.reaches(ctx, dir)
	}
	if err != nil || reached {
		return home{dir: dir}, err
	}
	name := sha256.Sum256([]byte(dir))
	dir = filepath.Join("/var/lib", "lockbox-"+hex.EncodeToString(name[:6]))
	return home{dir: dir}, who.own(dir)
}

// resolve returns the absolute path without symbolic links, so a directory always has the same name. The last elements
// of the path need not exist.
func resolve(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	existing := nearest(dir)
	target, err := filepath.EvalSymlinks(existing)
	if err != nil {
		return "", err
	}
	// The missing part cannot contain links, so it is appended unchanged.
	rest, err := filepath.Rel(existing, dir)
	if err != nil {
		return "", err
	}
	return filepath.Join(target, rest), nil
}

// nearest returns dir, or its closest ancestor that exists.
func nearest(dir string) string {
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

// temporaryDir creates a directory that the account owns and can reach. It tries these parents in order: preferred (if
// not empty), the system's directory for temporary files, /tmp, and /var/lib. The first two may be accessible only to
// the current user.
func temporaryDir(ctx context.Context, preferred string, who account) (string, error) {
	var failures error
	for _, parent := range []string{cmp.Or(preferred, os.TempDir()), os.TempDir(), "/tmp", "/var/lib"} {
		dir, err := os.MkdirTemp(parent, "lockbox-pg-")
		if err != nil {
			failures = errors.Join(failures, err)
			continue
		}
		if who.switched {
			err = os.Lchown(dir, int(who.uid), int(who.gid))
		}
		reached := false
		if err == nil {
			reached, err = who.reaches(ctx, dir)
		}
		if reached {
			return dir, nil
		}
		if err == nil {
			err = fmt.Errorf("user %d cannot enter %s", who.uid, parent)
		}
		failures = errors.Join(failures, err, os.Remove(dir))
	}
	return "", fmt.Errorf("create a temporary directory for PostgreSQL: %w", failures)
}

// placeSockets uses the cluster's directory for the socket, or a temporary directory if the path would be too long.
func (s *Server) placeSockets(ctx context.Context) error {
	s.sockets = s.home.run()
	// A connection URL cannot express a path with a comma, because a comma separates hosts.
	if len(socketIn(s.sockets)) <= maxSocketPath && !strings.Contains(s.sockets, ",") {
		return nil
	}
	dir, err := temporaryDir(ctx, "", s.account)
	if err != nil {
		return err
	}
	s.sockets = dir
	if socket := socketIn(dir); len(socket) > maxSocketPath {
		return fmt.Errorf("the socket path %s is longer than %d bytes: set TMPDIR to a shorter path", socket,
			maxSocketPath)
	}
	return nil
}

// socketIn returns the path of the socket that PostgreSQL creates in dir.
func socketIn(dir string) string { return filepath.Join(dir, ".s.PGSQL."+socketPort) }

// initCluster runs initdb in a temporary directory and renames the result, so an interrupted initdb never leaves an
// incomplete cluster in place.
func (s *Server) initCluster(ctx context.Context, durable bool) error {
	unfinished, err := filepath.Glob(filepath.Join(s.home.dir, "initdb-*"))
	if err != nil {
		return err
	}
	for _, dir := range unfinished {
		// Ignore errors, because an orphaned initdb may still write to the directory. The next start removes the
		// remaining files.
		_ = os.RemoveAll(dir)
	}
	aside, err := os.MkdirTemp(s.home.dir, "initdb-")
	if err != nil {
		return err
	}
	if s.account.switched {
		if err := os.Lchown(aside, int(s.account.uid), int(s.account.gid)); err != nil {
			return err
		}
	}
	// The server never uses the two authentication methods in these arguments, because launch makes it use the file
	// that writeAuthentication writes.
	args := []string{"-D", aside, "-U", superuser, "--encoding=UTF8", "--locale=C", "--auth-local=peer",
		"--auth-host=reject"}
	if !durable {
		args = append(args, "--no-sync") // faster by seconds; a crash of the machine may lose the cluster
	}
	out, err := s.account.commandContext(ctx, s.bin.initdb, args...).CombinedOutput()
	if err != nil {
		_ = os.RemoveAll(aside)
		return fmt.Errorf("initdb: %w: %s", err, strings.ReplaceAll(strings.TrimSpace(string(out)), "\n", " | "))
	}
	return os.Rename(aside, s.home.data())
}
