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

// account is who PostgreSQL runs as.
type account struct {
	uid, gid uint32
	switched bool // we are root and it is not
}

// serverAccount is ourselves, or, since PostgreSQL refuses root, the machine's own user for it or else nobody.
func serverAccount() (account, error) {
	if os.Geteuid() != 0 {
		return account{uid: uint32(os.Geteuid()), gid: uint32(os.Getegid())}, nil //nolint:gosec // ids are 32 bits wide
	}
	for _, name := range []string{"postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(found.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(found.Gid, 10, 32)
		if errUID == nil && errGID == nil && uid != 0 {
			return account{uid: uint32(uid), gid: uint32(gid), switched: true}, nil
		}
	}
	return account{}, errors.New(
		"PostgreSQL refuses to run as root, and there is no user postgres or nobody to run it as")
}

// command runs as the account, in an environment that does not let PG… variables or a locale of the caller's change
// what the server does.
func (a account) command(name string, args ...string) *exec.Cmd {
	return a.dress(exec.Command(name, args...)) //nolint:gosec // PostgreSQL and sh, with arguments of our own
}

func (a account) commandContext(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := a.dress(exec.CommandContext(ctx, name, args...)) //nolint:gosec // as above
	// initdb's own child may hold the output open for a moment after initdb is killed.
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

func (a account) dress(cmd *exec.Cmd) *exec.Cmd {
	// The account may not be able to enter the folder we are in.
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

// reaches tells whether the account may enter dir. It asks the kernel rather than reading modes: lists, mounts and
// security modules decide too.
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

// own makes dir the account's own, open to nobody else. What already belongs to someone else is refused.
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
		return fmt.Errorf("%s is not a folder", dir)
	}
	if status.Uid != a.uid {
		return fmt.Errorf("%s belongs to user %d and PostgreSQL would run as user %d: run as the user who made it, "+
			"or remove it", dir, status.Uid, a.uid)
	}
	return os.Chmod(dir, 0o700) //nolint:gosec // a folder needs its x
}
