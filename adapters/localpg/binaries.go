package localpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Lockbox is tested with these major versions of PostgreSQL and those in between.
const oldestMajor, newestMajor = 14, 18

// ErrMissing means that no supported version of PostgreSQL is installed on the machine.
var ErrMissing = errors.New("PostgreSQL 14 to 18 (initdb, postgres, pg_ctl) is not installed: " +
	"run `scripts/provide postgres`, or install PostgreSQL " +
	"(Debian, Ubuntu: apt-get install postgresql; Fedora: dnf install postgresql-server; " +
	"macOS: brew install postgresql@17)")

// packageDirs are the directories in which distributions install the binaries outside of PATH.
var packageDirs = []string{
	"/usr/lib/postgresql/*/bin",          // Debian, Ubuntu
	"/usr/pgsql-*/bin",                   // PGDG on Fedora and RHEL
	"/usr/libexec/postgresql*",           // Alpine
	"/opt/homebrew/opt/postgresql@*/bin", // Homebrew on Apple silicon
	"/usr/local/opt/postgresql@*/bin",    // Homebrew on Intel
	"/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
	"/Applications/Postgres.app/Contents/Versions/*/bin",
	"/usr/local/pgsql/bin", // built from source
}

// binaries are the paths of one installation of PostgreSQL.
type binaries struct {
	initdb, postgres, pgctl string
	major                   int
}

// findBinaries searches PATH, then the directory that pg_config reports, then the package directories. Among the
// package directories, it prefers the newest version. For an existing cluster, the argument wanted is the major version
// of the cluster, and findBinaries returns only that version. For a new cluster, wanted is "".
func findBinaries(ctx context.Context, wanted string) (binaries, error) {
	return pickBinaries(ctx, wanted, preferredDirs(ctx), packageDirs)
}

// pickBinaries is findBinaries with explicit directories and glob patterns.
func pickBinaries(ctx context.Context, wanted string, preferred, patterns []string) (binaries, error) {
	var found []binaries
	for _, dir := range preferred {
		found = appendSupported(ctx, found, dir)
	}
	var packaged []binaries
	for _, pattern := range patterns {
		dirs, err := filepath.Glob(pattern)
		if err != nil {
			return binaries{}, err
		}
		for _, dir := range dirs {
			packaged = appendSupported(ctx, packaged, dir)
		}
	}
	slices.SortStableFunc(packaged, func(a, b binaries) int { return b.major - a.major })
	found = append(found, packaged...)
	if ctx.Err() != nil {
		return binaries{}, ctx.Err() // the list may be incomplete, so ErrMissing would be wrong
	}
	if len(found) == 0 {
		return binaries{}, ErrMissing
	}
	if wanted == "" {
		return found[0], nil
	}
	for _, candidate := range found {
		if strconv.Itoa(candidate.major) == wanted {
			return candidate, nil
		}
	}
	return binaries{}, fmt.Errorf("the data directory belongs to PostgreSQL %s, but version %d was found: "+
		"install PostgreSQL %s, or dump and restore the data: %w", wanted, found[0].major, wanted, ErrMissing)
}

// preferredDirs returns the directories in PATH, and then the directory that pg_config reports. They come before the
// package directories, so that a user can select a version.
func preferredDirs(ctx context.Context) []string {
	dirs := filepath.SplitList(os.Getenv("PATH"))
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	return dirs
}

// appendSupported appends the binaries in dir if they are complete and of a supported version.
func appendSupported(ctx context.Context, found []binaries, dir string) []binaries {
	if !filepath.IsAbs(dir) {
		// A relative path in PATH must not choose which program runs, especially as root.
		return found
	}
	b := binaries{
		initdb:   filepath.Join(dir, "initdb"),
		postgres: filepath.Join(dir, "postgres"),
		pgctl:    filepath.Join(dir, "pg_ctl"),
	}
	for _, path := range []string{b.initdb, b.postgres, b.pgctl} {
		if info, err := os.Stat(path); err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
			return found
		}
	}
	out, err := exec.CommandContext(ctx, b.postgres, "--version").Output() //nolint:gosec // the machine's PostgreSQL
	if err != nil {
		return found
	}
	if b.major = majorOf(string(out)); b.major < oldestMajor || b.major > newestMajor {
		return found
	}
	return append(found, b)
}

// majorOf returns the major version in a text such as "postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)". It
// returns 0 if the text contains no version.
func majorOf(version string) int {
	_, after, _ := strings.Cut(version, "(PostgreSQL) ")
	digits := strings.TrimRight(after, "\n")
	if end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); end >= 0 {
		digits = digits[:end]
	}
	major, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return major
}
