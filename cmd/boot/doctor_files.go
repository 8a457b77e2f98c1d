package boot

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

const (
	// doctor prints a warning if a certificate expires within renewBefore. ACME clients renew a certificate of 90 days
	// when 30 days remain. If only renewBefore remains, a renewal has failed.
	renewBefore = 14 * 24 * time.Hour
	// doctor prints a warning if the newest backup is older than oldBackup, or if the last verification is older than
	// oldVerification. If the newest backup is that old, a nightly backup was missed. If the last verification is that
	// old, a monthly verification was missed.
	oldBackup       = 50 * time.Hour
	oldVerification = 35 * 24 * time.Hour
)

// checkCertificate checks the validity of the TLS certificate. It does not compare the key with the certificate,
// because the check of the settings has already done this.
func (c Config) checkCertificate(now time.Time) Check {
	const name = "certificate"
	loaded := c.derived.certificate
	switch {
	case loaded == nil && c.TLSCert+string(c.TLSKey.Bytes()) != "":
		return failed(name, "the certificate cannot be used", "see settings")
	case loaded == nil && c.listensOnLoopback():
		return ok(name, "there is no certificate; plain HTTP is served only on loopback")
	case loaded == nil && len(c.TrustedProxies) > 0:
		return ok(name, "there is no certificate; plain HTTP is served behind a trusted proxy")
	case loaded == nil:
		return warning(name, "there is no certificate; plain HTTP is served on "+c.HTTPAddr.String(),
			"set LOCKBOX_TLS_CERT_FILE and LOCKBOX_TLS_KEY_FILE, or run a TLS proxy in front of Lockbox")
	}
	current := loaded.current.Load()
	expires := current.expires
	const renew = "renew the certificate"
	switch left := expires.Sub(now); {
	case left <= 0:
		return failed(name, "expired on "+expires.UTC().Format(time.DateTime), renew)
	case now.Before(current.pair.Leaf.NotBefore):
		return failed(name, "not valid before "+current.pair.Leaf.NotBefore.UTC().Format(time.DateTime),
			"check the clock of this machine, or install another certificate")
	case left < renewBefore:
		return warning(name, fmt.Sprintf("expires in %d days", left/(24*time.Hour)), renew)
	default:
		return ok(name, fmt.Sprintf("expires in %d days", left/(24*time.Hour)))
	}
}

// listensOnLoopback reports whether the server listens on loopback only, so that no other machine can connect.
func (c Config) listensOnLoopback() bool {
	ip := net.ParseIP(c.HTTPAddr.Host)
	return c.HTTPAddr.Host == "localhost" || ip != nil && ip.IsLoopback()
}

// checkFiles checks who can read and replace the files of secret settings.
func checkFiles(environ []string) Check {
	const name = "files"
	if runtime.GOOS == "windows" {
		return skipped(name, "file permissions are not checked on Windows")
	}
	var problems []string
	checked := 0
	for _, variable := range environ {
		full, path, _ := strings.Cut(variable, "=")
		name, isFile := strings.CutSuffix(full, fileSuffix)
		isSecret := func(setting Setting) bool { return setting.Secret && setting.Name == name }
		if !isFile || path == "" || !slices.ContainsFunc(Settings(), isSecret) {
			continue
		}
		checked++
		if problem := exposure(path); problem != "" {
			problems = append(problems, full+": "+problem)
		}
	}
	if len(problems) > 0 {
		return failed(name, strings.Join(problems, "; "), "run chmod 600 on the files, or chmod 700 on their folders")
	}
	return ok(name, fmt.Sprintf("%d files with secrets, private", checked))
}

// exposure describes how other users can read, change or replace a file. It returns "" if they cannot. It accepts that
// the file's group can read the file, but not that the group can change the file.
func exposure(path string) string {
	given, err := filepath.Abs(path)
	if err == nil {
		path, err = filepath.EvalSymlinks(given)
	}
	if err != nil {
		return "cannot be found"
	}
	info, err := os.Stat(path)
	if err != nil {
		return "cannot be found"
	}
	mode := info.Mode().Perm()
	reachable, replaceable := reachableByOthers(filepath.Dir(path))
	_, linkReplaceable := reachableByOthers(filepath.Dir(given))
	switch {
	case replaceable || linkReplaceable:
		return "other users can replace the file, because they can write to its folder or to a parent of its folder"
	case reachable && mode&0o002 != 0:
		return fmt.Sprintf("other users can write to the file (mode %04o)", mode)
	case reachable && mode&0o004 != 0:
		return fmt.Sprintf("other users can read the file (mode %04o)", mode)
	case mode&0o020 != 0:
		return fmt.Sprintf("the group can write to the file (mode %04o)", mode)
	}
	return ""
}

// reachableByOthers examines a folder and all its parents. reachable is true if other users can pass through all of
// them. replaceable is true if other users can replace a file in the folder. This is the case if they can reach any of
// these folders and write to it. They can then rename a file or subfolder there, and create another one under the same
// name. The sticky bit, which /tmp has, prevents this.
func reachableByOthers(dir string) (reachable, replaceable bool) {
	reachable = true
	for ; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return false, false
		}
		mode := info.Mode()
		switch {
		case mode.Perm()&0o001 == 0:
			// Other users cannot reach the folders below dir, so the permissions of those folders do not matter.
			reachable, replaceable = false, false
		case mode.Perm()&0o002 != 0 && mode&os.ModeSticky == 0:
			replaceable = true
		}
		if filepath.Dir(dir) == dir {
			return reachable, replaceable
		}
	}
}

// checkBackups checks the age of the newest backup and of the last verification.
func (c Config) checkBackups(now time.Time) Check {
	const name = "backups"
	if c.BackupDir == "" {
		return skipped(name, "LOCKBOX_BACKUP_DIR is not set")
	}
	times, err := c.readBackupTimes()
	const create, verify = "run lockbox backup create every night", "run lockbox backup verify every month"
	switch {
	case err != nil:
		return failed(name, err.Error(), create)
	case times.created.IsZero():
		return failed(name, "there is no complete backup with an authentic manifest in "+c.BackupDir, create)
	case now.Sub(times.created) > oldBackup:
		return warning(name, "the newest backup is from "+times.created.Format(time.DateTime), create)
	case times.verified.IsZero():
		return warning(name, "no backup was verified", verify)
	case now.Sub(times.verified) > oldVerification:
		return warning(name, "the last verification was on "+times.verified.Format(time.DateTime), verify)
	}
	return ok(name, fmt.Sprintf("the newest backup is from %s, and the last verification was on %s",
		times.created.Format(time.DateTime), times.verified.Format(time.DateTime)))
}
