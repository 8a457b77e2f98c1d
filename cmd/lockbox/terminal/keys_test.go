package terminal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/client/keys"
)

// TestExitCodesOfKeyErrors checks the exit codes of faults that the client detects itself. Scripts rely on them.
func TestExitCodesOfKeyErrors(t *testing.T) {
	t.Parallel()
	for kind, want := range map[error]int{
		client.ErrKeyringMissing:        exitConflict,
		client.ErrKeyringNotContinued:   exitConflict,
		client.ErrKeyringRolledBack:     exitConflict,
		client.ErrKeyringForked:         exitConflict,
		client.ErrKeyringModeChanged:    exitConflict,
		client.ErrInstallationChanged:   exitConflict,
		client.ErrInstallationElsewhere: exitConflict,
		client.ErrBoxReplaced:           exitConflict,
		client.ErrUserReplaced:          exitConflict,
		client.ErrIdentityChanged:       exitConflict,
		client.ErrKeyringTampered:       exitFailure,
		client.ErrMemoryUnwritable:      exitFailure,
		client.ErrIdentityUnconfirmed:   exitUsage,
		client.ErrKeyringAuthorUnknown:  exitUsage,
		client.ErrIdentityInvalid:       exitUsage,
		client.ErrAnchorInvalid:         exitUsage,
		client.ErrNotRecipient:          exitForbidden,
		client.ErrNoKeyring:             exitNotFound,
		client.ErrUnlockFailed:          exitWrongKey,
		client.ErrKeyNotForThisBox:      exitWrongKey,
	} {
		err := client.NewKeyError(kind, "the message", nil)
		assert.Equal(t, want, ExitCode(err), kind)
		wrapped := &detailedError{prefix: "prod/app: ", error: fmt.Errorf("wrapped: %w", err)}
		assert.Equal(t, want, ExitCode(wrapped), kind)
		assert.Contains(t, Explain(err), "the message", kind)
	}
	for code := range keyRemedies {
		message := Explain(client.NewKeyError(errors.New(code), "the message", nil))
		assert.Contains(t, message, "the message; ", code)
		requireOneRemedy(t, message)
	}
}

// TestPassphraseIsNoPassword checks that a command refuses an unlock passphrase as a password, also in capitals or with
// blanks instead of hyphens. It also checks that the error does not quote the passphrase.
func TestPassphraseIsNoPassword(t *testing.T) {
	t.Parallel()
	passphrase := keys.GeneratePassphrase().Reveal()
	s := newSession("test", io.Discard)
	for text, refused := range map[string]bool{
		passphrase:                               true,
		strings.ToUpper(passphrase):              true,
		strings.ReplaceAll(passphrase, "-", " "): true,
		"a long password":                        false,
		"six-words-that-are-not-listed-xyzzy":    false,
	} {
		got, err := s.secret(t.Context(), secretQuestion{
			fromStdin: true,
			in:        bufio.NewReader(strings.NewReader(text + "\n")),
			flag:      "--password-stdin",
		})
		if refused {
			require.ErrorContains(t, err, "unlock passphrase")
			assert.Equal(t, exitUsage, ExitCode(err))
			assert.NotContains(t, err.Error(), text)
			assert.True(t, got.IsZero())
			continue
		}
		require.NoError(t, err)
		assert.Equal(t, text, got.Reveal())
	}
}

// countingKeys counts how often a key is fetched.
type countingKeys struct {
	client.BoxKeys

	fetched int
}

// CurrentKey implements client.BoxKeys.
func (c *countingKeys) CurrentKey(context.Context, *client.Client, string) (client.EncryptionKey, error) {
	c.fetched++
	return client.EncryptionKey{}, errors.New("fetched again")
}

// TestFetchedKeyIsUsedOnce checks that a command uses a fetched key for only one request to its box. For every further
// request, it fetches the key again.
func TestFetchedKeyIsUsedOnce(t *testing.T) {
	t.Parallel()
	source := &countingKeys{}
	key := client.GenerateEncryptionKey()
	fetched := &fetchedKeys{
		BoxKeys: source,
		box:     "prod",
		key:     key,
		fresh:   true,
	}
	_, err := fetched.CurrentKey(t.Context(), nil, "other")
	require.Error(t, err)
	got, err := fetched.CurrentKey(t.Context(), nil, "prod")
	require.NoError(t, err)
	require.Equal(t, key.Reveal(), got.Reveal())
	_, err = fetched.CurrentKey(t.Context(), nil, "prod")
	require.Error(t, err)
	require.Equal(t, 2, source.fetched)
}

// TestIdentityIsNotInherited checks that lockbox run does not pass the identity to the programs that it starts.
func TestIdentityIsNotInherited(t *testing.T) {
	t.Parallel()
	inherited := []string{"A=1", "LOCKBOX_IDENTITY=lbid1_x", "LOCKBOX_IDENTITY_FILE=f"}
	assert.Equal(t, []string{"A=1"}, environment(inherited, nil))
	assert.Equal(t, []string{"A=1", "LOCKBOX_IDENTITY=own"}, environment(inherited, []string{"LOCKBOX_IDENTITY=own"}))
}

// TestRewriteMark checks that a mark applies to only one key, and that remove deletes the mark.
func TestRewriteMark(t *testing.T) {
	t.Parallel()
	mark := rewriteMark{t.TempDir() + "/rekeys/box"}
	key, other := keys.GenerateBoxKey().ID(), keys.GenerateBoxKey().ID()
	assert.False(t, mark.of(key))
	require.NoError(t, mark.set(key.String()))
	assert.True(t, mark.of(key))
	assert.False(t, mark.of(other))
	require.NoError(t, mark.remove())
	assert.False(t, mark.of(key))
}
