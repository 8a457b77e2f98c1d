package sshkeys

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

func TestThePairBelongsTogether(t *testing.T) {
	t.Parallel()
	pair, err := New("droplet01")
	require.NoError(t, err)
	signer, err := ssh.ParsePrivateKey(pair.Private.Bytes())
	require.NoError(t, err)
	require.Equal(t, ssh.KeyAlgoED25519, signer.PublicKey().Type())
	public, comment, options, rest, err := ssh.ParseAuthorizedKey([]byte(pair.Authorized))
	require.NoError(t, err)
	require.Equal(t, signer.PublicKey().Marshal(), public.Marshal())
	require.Equal(t, "droplet01", comment)
	require.Empty(t, options)
	require.Empty(t, rest)
	other, err := New("droplet01")
	require.NoError(t, err)
	require.NotEqual(t, pair.Private.Bytes(), other.Private.Bytes())
}

// TestOpenSSHReadsIt checks the private key with ssh-keygen if that program is installed.
func TestOpenSSHReadsIt(t *testing.T) {
	t.Parallel()
	pair, err := New("droplet01")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(pair.Private.Bytes()), "-----BEGIN OPENSSH PRIVATE KEY-----\n"))
	path := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(path, pair.Private.Bytes(), 0o600))
	if keygen, err := exec.LookPath("ssh-keygen"); err == nil {
		out, err := exec.CommandContext(t.Context(), keygen, "-y", "-f", path).CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Equal(t, strings.Fields(pair.Authorized)[:2], strings.Fields(string(out))[:2])
	}
}
