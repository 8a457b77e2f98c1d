package localpg

import (
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"strings"
)

// The files hba and ident decide which users may connect. The server uses them instead of the files that initdb writes
// in the data directory. In a cluster from an earlier version of Lockbox, the files from initdb accept every user who
// can reach the socket. Each start writes hba and ident again, so such a cluster is protected too.
func (h home) hba() string   { return filepath.Join(h.dir, "pg_hba.conf") }
func (h home) ident() string { return filepath.Join(h.dir, "pg_ident.conf") }

// identMap is the name of the map that lists which operating system user may connect as which database role.
const identMap = "lockbox"

// writeAuthentication writes the files hba and ident. They permit only the current operating system user and root to
// connect. Both can connect as the roles that the constants superuser and Unprivileged name. If PostgreSQL runs as
// another user, that user can read the files but does not own them.
func (h home) writeAuthentication() error {
	who, err := user.Current()
	if err != nil {
		return err
	}
	names := []string{who.Username}
	if root, err := user.LookupId("0"); err == nil && root.Username != who.Username {
		names = append(names, root.Username) // root could read the data anyway
	}
	var lines strings.Builder
	for _, name := range names {
		// A quoted name may contain blanks; a double quote in it is doubled.
		quoted := `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
		for _, role := range []string{superuser, Unprivileged} {
			lines.WriteString(identMap + " " + quoted + " " + role + "\n")
		}
	}
	return errors.Join(replaceFile(h.hba(), "local all all peer map="+identMap+"\n"),
		replaceFile(h.ident(), lines.String()))
}

// replaceFile writes a file that every user can read. It creates a new file and renames it. A write to the existing
// file would follow a symbolic link. When this program runs as root, the directory belongs to another user, and this
// user could create such a link.
func replaceFile(path, content string) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = file.WriteString(content)
	// PostgreSQL's user must be able to read the file, which contains no secret.
	if err = errors.Join(err, file.Chmod(0o644), file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name())
	}
	return err
}
