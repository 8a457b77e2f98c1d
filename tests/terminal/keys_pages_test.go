//go:build unix && e2e

package terminal

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/tests/live"
)

// follower runs the bash blocks of a page in order. The first line of a block names a machine. For each machine, the
// test uses a separate home directory. The working directory is the same for all machines.
type follower struct {
	t      *testing.T
	url    string
	dir    string
	blocks [][]string // the name of the machine, and the commands
	next   int
	// replace lists pairs of an old and a new text. Before a block runs, each new text replaces the old text in the
	// commands of the block.
	replace []string
}

func follow(t *testing.T, page, url string) *follower {
	t.Helper()
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	f := &follower{t: t, url: url, dir: t.TempDir()}
	pattern := regexp.MustCompile("(?s)```bash\n# ([^\n]*)\n(.*?)```")
	for _, block := range pattern.FindAllStringSubmatch(string(text), -1) {
		f.blocks = append(f.blocks, block[1:])
	}
	require.Len(t, f.blocks, strings.Count(string(text), "```bash\n"), "each block names its machine")
	require.NoError(t, os.Mkdir(filepath.Join(f.dir, "bin"), 0o700))
	require.NoError(t, os.Symlink(binary, filepath.Join(f.dir, "bin", "lockbox")))
	return f
}

// The block method runs the next block. The first line of the block must name the given machine.
func (f *follower) block(machine string) *screen {
	f.t.Helper()
	require.Less(f.t, f.next, len(f.blocks), "the page has more blocks")
	block := f.blocks[f.next]
	require.Equal(f.t, machine, block[0], block[1])
	f.next++
	return f.on(machine, strings.NewReplacer(f.replace...).Replace(block[1]))
}

// The on method runs commands in bash on a terminal, with the home directory of the given machine.
func (f *follower) on(machine, commands string) *screen {
	f.t.Helper()
	home := filepath.Join(f.dir, "home of "+strings.ReplaceAll(machine, "'", ""))
	require.NoError(f.t, os.MkdirAll(home, 0o700))
	environ := []string{"PATH=" + filepath.Join(f.dir, "bin") + ":" + os.Getenv("PATH"), "HOME=" + home, "TERM=dumb",
		"URL=" + f.url}
	return start(f.t, environ, "bash", "--norc", "-e", "-o", "pipefail", "-c", "cd '"+f.dir+"'\n"+commands)
}

// The ended method checks that every block has run.
func (f *follower) ended() {
	f.t.Helper()
	require.Equal(f.t, len(f.blocks), f.next)
}

// copyOf returns the commands that copy the configuration of another machine.
func copyOf(machine string) string {
	return `mkdir -p ~/.config; cp -r ~/../"home of ` + machine + `/.config/lockbox" ~/.config/`
}

// The find method searches the output for a pattern and returns the first capture group.
func (s *screen) find(pattern string) string {
	s.t.Helper()
	found := regexp.MustCompile(pattern).FindStringSubmatch(s.String())
	require.NotNil(s.t, found, "%s\n%s", pattern, s)
	return found[1]
}

const (
	fingerprintPattern = `(?:[a-z2-7]{5} ){5}[a-z2-7]{5}`
	passphrasePattern  = `unlock passphrase +([a-z]+(?:-[a-z]+){5})`
)

// The confirms method waits until lockbox shows the fingerprint of the named user and asks whether it is right. It then
// answers yes.
func (s *screen) confirms(name, fingerprint string) {
	s.t.Helper()
	s.expect("The fingerprint of " + name + ", as the server reports it:")
	s.expect(fingerprint)
	s.expect(`Does ` + name + ` see the same fingerprint\? \[y/N\] `)
	s.enter("y")
}

// The joins method answers the questions of lockbox join. It returns the fingerprint and the unlock passphrase.
func (s *screen) joins(password string) (fingerprint, passphrase string) {
	s.t.Helper()
	s.hidden("New password: ", password)
	s.hidden("Repeat: ", password)
	s.expect(`two-factor authentication.*\[y/N\] `)
	s.enter("n")
	s.expect(`Create your identity now\? \[y/N\] `)
	s.enter("y")
	s.expect("Store the unlock passphrase")
	s.ends(0)
	return s.find(`fingerprint +(` + fingerprintPattern + `)`), s.find(passphrasePattern)
}

// TestSharingKeysPage runs the commands of docs/sharing-keys.md with a new server. Two users on two machines share a
// box, and no output shows the box key. After the invitation, one command of each user must be enough to give the
// invited user access to a value.
func TestSharingKeysPage(t *testing.T) {
	t.Parallel()
	f := follow(t, "../../docs/sharing-keys.md", live.Start(t).URL)
	const you, anna = "your machine", "Anna's machine"
	s := f.on(you, `lockbox init "$URL"`)
	s.hidden("Password for root: ", "a long password")
	s.hidden("Repeat: ", "a long password")
	s.declines()
	s.ends(0)

	s = f.block(you) // identity create
	s.hidden("Password of root: ", "a long password")
	s.expect(passphrasePattern)
	s.ends(0)
	s = f.block(you) // box create, set, users invite
	s.expect("Created box prod with a keyring")
	s.expect("The invitation works only on this machine")
	s.ends(0)
	f.replace = []string{"lockbox join lbi1_…", "lockbox join " + s.find(`lockbox join (lbi1_[A-Za-z0-9_-]+)`)}
	fingerprint, passphrase := f.block(anna).joins("her own password")
	s = f.block(you) // box user add
	s.confirms("anna", fingerprint)
	s.expect("anna has the key of prod")
	s.ends(0)
	f.replace = append(f.replace, "lba1_…", s.find(`lockbox box trust (lba1_[A-Za-z0-9_-]+) prod`))
	s = f.block(anna) // get
	s.expect(`"s3cret"`)
	s.ends(0)
	s = f.block(anna) // trust, run
	s.expect("connecting to db.example.org")
	s.ends(0)
	s = f.block(you) // permissions, keyring
	s.expect(`anna +has the key +` + fingerprint)
	s.ends(0)
	s = f.block("Anna's other machine")
	s.hidden("Password: ", "her own password")
	s.expect(`Unlock your identity on this machine now\? \[y/N\] `)
	s.enter("y")
	s.hidden("Unlock passphrase: ", strings.ReplaceAll(strings.ToUpper(passphrase), "-", " "))
	s.expect(`Unlocked the identity of anna on this machine\. Fingerprint: ` + fingerprint)
	s.expect(`"s3cret"`)
	s.ends(0)
	require.NotContains(t, s.String(), passphrase)
	s = f.block(you) // the program
	s.expect(`fingerprint +` + fingerprintPattern)
	s.expect("billing has the key of prod")
	s.ends(0)
	require.NotContains(t, s.String(), "see the same fingerprint")
	s = f.block("the machine of the program")
	s.expect(`"s3cret"`)
	s.ends(0)
	s = f.block(you) // recovery
	s.expect("lockbox box trust")
	s.ends(0)
	require.NotContains(t, s.String(), "see the same fingerprint")
	s = f.block(you) // remove, rekey --rewrite
	s.expect("Removed anna from prod and changed the key")
	s.expect(`Encrypting .*1 of 1`)
	s.expect("Encrypted 1 entries of prod under the current key")
	s.ends(0)
	refused := f.on(anna, "lockbox get prod/app")
	refused.ends(5)
	s = f.block(you) // adopt
	s.expect(`"hello"`)
	s.ends(0)
	f.ended()
	assert.NotContains(t, s.String(), "lbk1_")
}

// TestLosingThingsPage runs the commands of docs/losing-things.md. Before the first block, the test creates a box that
// root and anna share. A recovery identity also has access to the box.
func TestLosingThingsPage(t *testing.T) {
	t.Parallel()
	f := follow(t, "../../docs/losing-things.md", live.Start(t).URL)
	passwords := "printf 'root-password\\n' > root-password; printf 'anna-password\\n' > anna-password\n"
	const here, other = "a machine with the identity", "another machine"
	s := f.on(here, passwords+`lockbox init "$URL" --password-stdin < root-password
lockbox identity create --password-stdin < root-password
lockbox identity create --recovery recovery > recovery-identity
lockbox box create prod
lockbox set prod/app first
lockbox users create anna --password-stdin < anna-password > anna-key`)
	s.ends(0)
	s = f.on("the first machine of Anna", `lockbox login "$URL" -u anna --password-stdin < anna-password
lockbox identity create
lockbox identity show | sed -n 's/^fingerprint *//p' > fingerprint`)
	s.ends(0)
	f.on(here, `lockbox box user add prod anna --role boxadmin --fingerprint "$(cat fingerprint)"`).ends(0)

	s = f.block(here) // identity passphrase
	s.hidden("Password of root: ", "root-password")
	s.expect(passphrasePattern)
	s.ends(0)
	passphrase := s.find(passphrasePattern)
	s = f.on(other, `lockbox login "$URL" -u root`)
	s.hidden("Password: ", "root-password")
	s.expect(`Unlock your identity on this machine now\? \[y/N\] `)
	s.enter("y")
	s.hidden("Unlock passphrase: ", "not this one")
	s.hidden("Unlock passphrase: ", passphrase)
	s.ends(0)
	s = f.block(other) // revoke, login, rotate
	s.hidden("Password: ", "root-password")
	s.expect(passphrasePattern)
	s.expect(`prod +regained`)
	s.ends(0)
	stolen := f.on(here, "lockbox get prod/app")
	stolen.expect("not your current identity: if you replaced it on another machine, run lockbox identity unlock")
	stolen.ends(6)
	f.on(other, "lockbox get prod/app").ends(0)

	const anna = "a new machine of Anna"
	f.on(anna, `lockbox login "$URL" -u anna --password-stdin < anna-password`).ends(0)
	s = f.block(anna) // identity create --replace-lost
	s.expect(passphrasePattern)
	s.ends(0)
	f.replace = []string{"k3v7d o5xqa 2zjwp mtr6e yhu4n c2slb", s.find(`fingerprint +(` + fingerprintPattern + `)`)}
	f.on(other, "lockbox box grant prod anna").ends(6) // a changed fingerprint must be typed
	f.on("a colleague's machine", copyOf(other)).ends(0)
	f.block("a colleague's machine").ends(0) // grant --fingerprint
	f.on(anna, "lockbox get prod/app").ends(0)

	const fresh = "a new machine"
	f.on(fresh, `lockbox login "$URL" -u root --password-stdin < root-password`).ends(0)
	s = f.block(fresh) // identity create --replace-lost, recover
	s.expect(`prod +regained`)
	s.ends(0)
	s = f.on(fresh, "lockbox get prod/app")
	s.expect(`"first"`)
	s.ends(0)

	const owner = "the machine of the owner"
	f.on(owner, copyOf(fresh)).ends(0)
	f.block(owner).ends(0) // reset
	s = f.on(owner, "lockbox get prod/app --field db.password")
	s.expect(`"new"`)
	s.ends(0)
	f.on(fresh, "lockbox get prod/app").ends(6)
	s = f.on(fresh, "lockbox box forget prod; lockbox get prod/app")
	s.expect(`Forget the keyring of the box\? \[y/N\] `)
	s.enter("y")
	s.expect(`"new"`)
	s.ends(0)

	f.on("your machine", copyOf(owner)).ends(0)
	s = f.block("your machine") // remove, deactivate
	s.expect("Removed anna from prod and changed the key")
	s.ends(0)
	f.ended()
}
