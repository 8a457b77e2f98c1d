package localpg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// account is the operating system user that PostgreSQL runs as.
type account struct {
	uid, gid uint32
	switched bool   // this process is root and the account is another user
	name     string // empty unless switched
}

// sharedUser is the user that serverAccount returns if the user postgres does not exist. Programs unrelated to
// PostgreSQL may run as this user, too.
const sharedUser = "nobody"

// serverAccount returns the current user if that user is not root. PostgreSQL refuses to run as root. For root,
// serverAccount therefore returns the user postgres, or `nobody` if postgres does not exist.
func serverAccount() (account, error) {
	if os.Geteuid() != 0 {
		return account{uid: uint32(os.Geteuid()), gid: uint32(os.Getegid())}, nil //nolint:gosec // ids are 32 bits wide
	}
	for _, name := range []string{"postgres", sharedUser} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(found.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(found.Gid, 10, 32)
		if errUID == nil && errGID == nil && uid != 0 {
			return account{
				uid:      uint32(uid),
				gid:      uint32(gid),
				switched: true,
				name:     name,
			}, nil
		}
	}
	return account{}, errors.New(
		"PostgreSQL refuses to run as root, and neither user postgres nor user nobody exists: " +
			"run as a user other than root")
}

// command returns a command that runs as the account. Its environment omits the caller's locale and PG… variables,
// which would change the server's behavior.
func (a account) command(name string, args ...string) *exec.Cmd {
	return a.configure(exec.Command(name, args...)) //nolint:gosec // PostgreSQL and sh, with arguments of our own
}

// commandContext is like command, but kills the process when ctx ends.
func (a account) commandContext(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := a.configure(exec.CommandContext(ctx, name, args...)) //nolint:gosec // as above
	// A child of initdb may keep the output open for a moment after initdb is killed.
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// configure sets the working directory, the environment and the user of a command.
func (a account) configure(cmd *exec.Cmd) *exec.Cmd {
	// The account may have no access to the current directory.
	cmd.Dir = "/"
	cmd.Env = []string{"LC_ALL=C", "TZ=UTC"}
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); name == "PATH" || name == "TMPDIR" || strings.HasPrefix(name, "LD_") ||
			strings.HasPrefix(name, "DYLD_") {
			cmd.Env = append(cmd.Env, pair)
		}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if a.switched {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid}
	}
	return cmd
}

// reaches reports whether the account may enter dir. It tries to enter dir instead of reading file modes, because
// access control lists, mounts and security modules also matter.
func (a account) reaches(ctx context.Context, dir string) (bool, error) {
	err := a.commandContext(ctx, "/bin/sh", "-c", `cd -- "$1"`, "sh", dir).Run()
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if _, refused := errors.AsType[*exec.ExitError](err); refused {
		return false, nil
	}
	return err == nil, err
}

// own creates dir if it is missing, and makes it accessible only to the account. It fails if dir belongs to another
// user.
func (a account) own(dir string) error {
	if dir == "" {
		return nil
	}
	err := os.Mkdir(dir, 0o700)
	made := err == nil
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if made && a.switched {
		if err := os.Lchown(dir, int(a.uid), int(a.gid)); err != nil {
			return err
		}
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	status, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() {
		return fmt.Errorf("%s is not a directory", dir)
	}
	if status.Uid != a.uid {
		return fmt.Errorf("%s belongs to user %d, but PostgreSQL would run as user %d: "+
			"run as the owner of this directory, or remove the directory", dir, status.Uid, a.uid)
	}
	return os.Chmod(dir, 0o700) //nolint:gosec // a directory needs the x bit
}
