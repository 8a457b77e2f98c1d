//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// bashBlocks returns every bash code block of a page.
func bashBlocks(t *testing.T, name string) []string {
	t.Helper()
	var blocks []string
	for _, block := range regexp.MustCompile("(?ms)^```bash\n(.*?)^```$").FindAllStringSubmatch(page(t, name), -1) {
		blocks = append(blocks, block[1])
	}
	return blocks
}

// shell runs commands in bash. The first command that fails ends the shell. The argument programs maps the names of
// programs to the paths at which the shell finds them.
func shell(t *testing.T, programs map[string]string, commands string, environ ...string) string {
	t.Helper()
	bin := t.TempDir()
	for name, path := range programs {
		require.NoError(t, os.Symlink(path, filepath.Join(bin, name)))
	}
	bash := exec.CommandContext(t.Context(), "bash", "--norc", "-euc", commands)
	bash.Env = append([]string{"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + bin, "LOCKBOX_HTTP_ADDR=127.0.0.1:0"},
		environ...)
	out, err := bash.CombinedOutput()
	require.NoError(t, err, "%s\n%s", commands, out)
	return string(out)
}

// TestBackupPage runs the commands of docs/backup.md on a server with entries: a backup, its verification, a restore
// into another database, and the checks. Then it reads an entry through a server on the restored database.
func TestBackupPage(t *testing.T) {
	t.Parallel()
	s := startOn(t, durable(t)) // lockbox doctor reports an error for the settings of the tests' server
	root := s.initialize()
	root.do("POST", "/boxes/team", nil).expect(201)
	root.put("team", "key", `"value"`).expect(201)
	restored, dir := durable(t), t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o700))
	secret := filepath.Join(dir, "secret-key")
	require.NoError(t, os.WriteFile(secret, []byte(testSecret), 0o600))

	script := strings.Join(bashBlocks(t, "docs/backup.md"), "\n")
	for from, to := range map[string]string{
		"/var/backups/lockbox":                       filepath.Join(dir, "backups"),
		"postgres://lockbox@db.example.org/restored": "'" + restored + "'",
	} {
		require.Contains(t, script, from)
		script = strings.ReplaceAll(script, from, to)
	}
	out := shell(t, map[string]string{"lockbox": binary(t)}, script, "LOCKBOX_DATABASE_URL="+s.db,
		"LOCKBOX_SECRET_KEY_FILE="+secret)
	require.Contains(t, out, " can be restored: ")
	require.Contains(t, out, "decrypted with the server keys: 1 entry versions, 1 passwords")
	require.Contains(t, out, "the database is equal to the backup from ")
	require.Regexp(t, `(?m)^secret +ok`, out)
	require.Regexp(t, `(?m)^backups +ok`, out)
	require.NotContains(t, out, testSecret)

	copied := startOn(t, restored)
	require.JSONEq(t, `"value"`, string(copied.as(root.token).get("team", "key").expect(200).Body))
}

// TestInterruptedBackup interrupts lockbox backup create with SIGINT while pg_dump runs. No file may remain, and the
// program must end.
func TestInterruptedBackup(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.initialize()
	dir, bin := t.TempDir(), t.TempDir()
	slow := "#!/bin/sh\n[ \"$1\" = --version ] && echo 'pg_dump (PostgreSQL) 18.1' && exit\necho part\nexec sleep 300\n"
	syscall.ForkLock.RLock() // a child process that inherits the open file would prevent its execution
	err := os.WriteFile(filepath.Join(bin, "pg_dump"), []byte(slow), 0o700)
	syscall.ForkLock.RUnlock()
	require.NoError(t, err)
	command := exec.CommandContext(t.Context(), binary(t), "backup", "create", dir)
	command.Env = []string{"PATH=" + bin + ":/bin:/usr/bin", "LOCKBOX_DATABASE_URL=" + s.db,
		"LOCKBOX_SECRET_KEY=" + testSecret}
	require.NoError(t, command.Start())
	require.Eventually(t, func() bool {
		partial, err := filepath.Glob(filepath.Join(dir, "*.partial"))
		return err == nil && len(partial) == 1
	}, waitLimit, waitTick)
	require.NoError(t, command.Process.Signal(os.Interrupt))
	require.Error(t, command.Wait())
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}
