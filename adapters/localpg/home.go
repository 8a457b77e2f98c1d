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
	// longestSocket is what the shortest sockaddr_un among the systems we run on can hold (macOS; Linux holds 107).
	longestSocket = 103
)

// home is where a cluster lies.
type home struct {
	dir       string
	temporary bool
}

func (h home) data() string { return filepath.Join(h.dir, "data") }
func (h home) run() string  { return filepath.Join(h.dir, "run") }
func (h home) lock() string { return filepath.Join(h.dir, "lock") }
func (h home) log() string  { return filepath.Join(h.run(), "postgres.log") }

// dataIfMade is empty until a cluster has been made.
func (h home) dataIfMade() string {
	if _, err := os.Lstat(h.data()); err != nil {
		return ""
	}
	return h.data()
}

// major is the version of PostgreSQL that made the cluster, and empty before there is one.
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

// settle decides where the cluster of dir lies, and makes the folder.
func settle(ctx context.Context, dir, tempParent string, who account) (home, error) {
	if dir == "" {
		temporary, err := temporaryFolder(ctx, tempParent, who)
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
		// Ours, but to be passed through: what lies inside is the account's and closed to everybody else.
		if err := os.MkdirAll(dir, 0o711); err != nil { //nolint:gosec // as just said
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

// resolve makes the path absolute and free of links, so that one folder has one name.
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
	rest, err := filepath.Rel(existing, dir)
	if err != nil {
		return "", err
	}
	return filepath.Join(target, rest), nil
}

// nearest is dir itself or the closest folder above it that exists.
func nearest(dir string) string {
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

// temporaryFolder makes a folder of the account's own where the account can reach it: TMPDIR may be private to us.
func temporaryFolder(ctx context.Context, preferred string, who account) (string, error) {
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
			err = fmt.Errorf("%s is closed to user %d", parent, who.uid)
		}
		failures = errors.Join(failures, err, os.Remove(dir))
	}
	return "", fmt.Errorf("no temporary folder for PostgreSQL: %w", failures)
}

// placeSockets puts the socket into the cluster's folder, or where its path fits.
func (s *Server) placeSockets(ctx context.Context) error {
	s.sockets = s.home.run()
	// A comma separates hosts in a connection's URL.
	if len(socketIn(s.sockets)) <= longestSocket && !strings.Contains(s.sockets, ",") {
		return nil
	}
	dir, err := temporaryFolder(ctx, "", s.account)
	if err != nil {
		return err
	}
	s.sockets = dir
	if socket := socketIn(dir); len(socket) > longestSocket {
		return fmt.Errorf("the path of the socket, %s, is longer than %d bytes: set TMPDIR to a shorter one", socket,
			longestSocket)
	}
	return nil
}

func socketIn(dir string) string { return filepath.Join(dir, ".s.PGSQL."+socketPort) }

// initCluster makes the cluster aside and moves it into place, so that what a killed initdb left is never taken for
// a cluster.
func (s *Server) initCluster(ctx context.Context, durable bool) error {
	unfinished, err := filepath.Glob(filepath.Join(s.home.dir, "initdb-*"))
	if err != nil {
		return err
	}
	for _, dir := range unfinished {
		// A killed program's initdb may still be writing there; the next start clears what this one cannot.
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
	args := []string{"-D", aside, "-U", superuser, "--encoding=UTF8", "--locale=C", "--auth-local=trust",
		"--auth-host=reject"}
	if !durable {
		args = append(args, "--no-sync")
	}
	out, err := s.account.commandContext(ctx, s.bin.initdb, args...).CombinedOutput()
	if err != nil {
		_ = os.RemoveAll(aside)
		return fmt.Errorf("initdb: %w: %s", err, strings.ReplaceAll(strings.TrimSpace(string(out)), "\n", " | "))
	}
	return os.Rename(aside, s.home.data())
}
