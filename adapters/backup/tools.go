package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
)

// tool is an installed program of PostgreSQL.
type tool struct {
	path  string
	major int
}

// ErrNoTool means that a program of PostgreSQL is missing or too old.
var ErrNoTool = errors.New("install the client programs of PostgreSQL " +
	"(Debian, Ubuntu: apt-get install postgresql-client; Fedora: dnf install postgresql; macOS: brew install libpq)")

// findTool searches dirs for the program with the given name. It ignores programs with a major version below the
// argument oldest. Among the remaining programs, findTool chooses the lowest version, because a newer pg_dump can write
// settings that an older server refuses.
func findTool(ctx context.Context, name string, oldest int, dirs []string) (tool, error) {
	var best, newest tool
	for _, dir := range dirs {
		found, ok := inspectTool(ctx, dir, name)
		if !ok {
			continue
		}
		if found.major > newest.major {
			newest = found
		}
		if found.major >= oldest && (best.path == "" || found.major < best.major) {
			best = found
		}
	}
	switch {
	case ctx.Err() != nil:
		return tool{}, ctx.Err() // the list may be incomplete
	case best.path != "":
		return best, nil
	case newest.path != "":
		return tool{}, fmt.Errorf("%s is version %d, but version %d or newer is needed: %w",
			newest.path, newest.major, oldest, ErrNoTool)
	default:
		return tool{}, fmt.Errorf("%s is not installed, and version %d or newer is needed: %w", name, oldest, ErrNoTool)
	}
}

// toolVersion matches the output of --version, such as "pg_dump (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)".
var toolVersion = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// inspectTool asks a program for its version. It ignores relative folders, because the current directory must not
// decide which program runs.
func inspectTool(ctx context.Context, dir, name string) (tool, bool) {
	if !filepath.IsAbs(dir) {
		return tool{}, false
	}
	path := filepath.Join(dir, name)
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	if info, err := os.Stat(path); err != nil || info.IsDir() {
		return tool{}, false
	}
	command := exec.CommandContext(ctx, path, "--version") //nolint:gosec // the machine's PostgreSQL
	command.Env = environment(nil)
	out, err := command.Output()
	if err != nil {
		return tool{}, false
	}
	match := toolVersion.FindSubmatch(out)
	if match == nil {
		return tool{}, false
	}
	major, err := strconv.Atoi(string(match[1]))
	return tool{path: path, major: major}, err == nil
}

// environment returns the environment of a child process. It consists of the variables of this process and the given
// variables. It omits the settings of Lockbox, because they contain secrets.
func environment(more []string) []string {
	var variables []string
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "LOCKBOX_") {
			variables = append(variables, variable)
		}
	}
	return append(append(variables, "LC_ALL=C"), more...)
}
