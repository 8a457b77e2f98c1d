package domain_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
)

// rawKey is a key. Its text form, writtenKey, contains characters of every kind.
var (
	rawKey     = [32]byte([]byte("\xfb\xef\xbe 32 bytes, of which some are -_"))
	writtenKey = domain.FormatGeneratedKey(rawKey)
)

func TestGeneratedKeys(t *testing.T) {
	t.Parallel()
	require.Regexp(t, `^lbk1_[A-Za-z0-9_-]{49}$`, writtenKey)
	key, err := domain.ParseEncryptionKey(writtenKey)
	require.NoError(t, err)
	require.True(t, key.Generated())
	require.Equal(t, rawKey[:], key.Bytes())
	// The expected value is constant: the base64url of 32 zero bytes, and the first 6 characters of
	// base64url(SHA-256("lbk1" | 32 zero bytes)).
	require.Equal(t, "lbk1_"+strings.Repeat("A", 43)+"XED5fH", domain.FormatGeneratedKey([32]byte{}))
}

func TestDamagedGeneratedKeys(t *testing.T) {
	t.Parallel()
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	damaged := []string{
		"lbk1_", "lbk1_x", writtenKey[:len(writtenKey)-1], writtenKey + "A", writtenKey + "=", writtenKey + " ",
		writtenKey[:20] + "\n" + writtenKey[21:], writtenKey[:20] + "+" + writtenKey[21:], "lbk1_" + writtenKey,
		writtenKey[:5] + strings.ToUpper(writtenKey[5:]), writtenKey[:5] + writtenKey[6:] + "A",
	}
	for i := 5; i < len(writtenKey); i++ {
		for _, c := range []byte(alphabet) {
			if c != writtenKey[i] {
				damaged = append(damaged, writtenKey[:i]+string(c)+writtenKey[i+1:])
			}
		}
	}
	for i := 5; i+1 < len(writtenKey); i++ { // two adjacent characters swapped, a common typing error
		if writtenKey[i] != writtenKey[i+1] {
			damaged = append(damaged, writtenKey[:i]+writtenKey[i+1:i+2]+writtenKey[i:i+1]+writtenKey[i+2:])
		}
	}
	for _, text := range damaged {
		key, err := domain.ParseEncryptionKey(text)
		refusedKey(t, err, "encryption_key_invalid", text)
		require.Empty(t, key.Bytes(), text)
		require.False(t, key.Generated(), text)
	}
}

func TestPassphrases(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a": "a", "correct horse battery staple": "correct horse battery staple", " spaces stay ": " spaces stay ",
		"schlüssel": "schlüssel", "lbk2_x": "lbk2_x", "lbk1": "lbk1", "B64:AAAA": "B64:AAAA",
		"b64:AA==": "\x00", "b64:/wD+": "\xff\x00\xfe", "b64:YWJj": "abc",
		strings.Repeat("x", 1024):                                      strings.Repeat("x", 1024),
		"b64:" + base64.StdEncoding.EncodeToString(make([]byte, 1024)): string(make([]byte, 1024)),
	} {
		key, err := domain.ParseEncryptionKey(text)
		require.NoError(t, err, text)
		require.Equal(t, want, string(key.Bytes()), text)
		require.False(t, key.Generated(), text)
	}
}

func TestInvalidEncryptionKeys(t *testing.T) {
	t.Parallel()
	for text, code := range map[string]string{
		"":                                   "encryption_key_required",
		"b64:":                               "encryption_key_invalid",
		"b64:====":                           "encryption_key_invalid",
		"b64:AA":                             "encryption_key_invalid", // without its padding
		"b64:AB==":                           "encryption_key_invalid", // trailing bits that are not zero
		"b64:_w-_":                           "encryption_key_invalid", // the other alphabet
		"b64:a secret":                       "encryption_key_invalid",
		"swordfish\xff":                      "encryption_key_invalid",
		strings.Repeat("x", 1025):            "encryption_key_invalid",
		"b64:" + strings.Repeat("AAAA", 342): "encryption_key_invalid", // 1026 bytes
	} {
		key, err := domain.ParseEncryptionKey(text)
		refusedKey(t, err, code, text)
		require.Empty(t, key.Bytes(), text)
	}
}

// refusedKey checks the kind, the code and the field of an error. It also requires that the error contains no part of
// the key.
func refusedKey(t testing.TB, err error, code, text string) {
	t.Helper()
	require.ErrorIs(t, err, domain.Invalid, text)
	require.Equal(t, code, domain.CodeOf(err), text)
	refusal, ok := errors.AsType[*domain.Error](err)
	require.True(t, ok)
	require.Equal(t, "encryptionKey", refusal.Field)
	for i := 5; i+8 <= len(text); i++ {
		require.NotContains(t, err.Error(), text[i:i+8])
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	t.Parallel()
	const text = "hunter2hunter2"
	secret := domain.NewSecret(text)
	passphrase, err := domain.ParseEncryptionKey(text)
	require.NoError(t, err)
	generated, err := domain.ParseEncryptionKey(writtenKey)
	require.NoError(t, err)
	type request struct {
		Name string
		Key  any
	}
	type hidden struct {
		name string
		key  domain.Secret
	}
	for _, each := range []any{
		secret, &secret, passphrase, &passphrase, generated, []domain.Secret{secret},
		map[string]domain.EncryptionKey{"key": passphrase}, request{"name", secret},
		&request{"name", &passphrase},
		hidden{"name", secret}, &hidden{"name", secret}, []hidden{{"name", secret}}, fmt.Errorf("wrapped: %v", secret),
	} {
		var shown []string
		for _, verb := range []string{
			"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%b", "%o", "%c", "%U", "%t", "%T", "%20s", "%.3s",
			"%p", "%w",
		} {
			shown = append(shown, fmt.Sprintf(verb, each))
		}
		shown = append(shown, fmt.Sprint(each), fmt.Sprintln(each))
		encoded, err := json.Marshal(each)
		require.NoError(t, err)
		shown = append(shown, string(encoded))
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("text", "key", each, slog.Group("group", "key", each))
		slog.New(slog.NewJSONHandler(&log, nil)).Info("json", "key", each, slog.Group("group", "key", each))
		shown = append(shown, log.String())
		for _, output := range shown {
			requireNothingOf(t, output, text)
			requireNothingOf(t, output, string(rawKey[:]))
		}
	}
	require.Equal(t, "[secret] [secret] [secret] [secret]",
		fmt.Sprintf("%v %#v %s %x", secret, secret, secret, passphrase))
	encoded, err := json.Marshal(map[string]any{"key": passphrase})
	require.NoError(t, err)
	require.JSONEq(t, `{"key":"[secret]"}`, string(encoded))
}

// requireNothingOf requires that output does not contain the secret, in any of the forms in which Go prints bytes.
func requireNothingOf(t *testing.T, output, secret string) {
	t.Helper()
	decimal := strings.Trim(fmt.Sprintf("%d", []byte(secret)[:6]), "[]")
	for _, form := range []string{
		secret[:6], fmt.Sprintf("%x", secret[:6]), fmt.Sprintf("%X", secret[:6]), fmt.Sprintf("% x", secret[:6]),
		decimal, strings.ReplaceAll(decimal, " ", ", "), fmt.Sprintf("%#v", []byte(secret)[:6])[7:40],
		base64.StdEncoding.EncodeToString([]byte(secret[:6])),
	} {
		require.NotContains(t, output, form)
	}
}

func TestSecretsAreCleared(t *testing.T) {
	t.Parallel()
	secret := domain.NewSecret("hunter2")
	shared := secret.Bytes()
	secret.Clear()
	require.Equal(t, make([]byte, 7), shared)
	domain.Secret{}.Clear()
}

func FuzzParseEncryptionKey(f *testing.F) {
	for _, seed := range []string{"", "a", writtenKey, writtenKey[:40], "b64:", "b64:AA==", "b64:AAAA\n", "lbk1_",
		"\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		key, err := domain.ParseEncryptionKey(text)
		switch {
		case err != nil:
			require.ErrorIs(t, err, domain.Invalid)
			require.Empty(t, key.Bytes())
		case key.Generated():
			require.Equal(t, text, domain.FormatGeneratedKey([32]byte(key.Bytes())), "a key has one spelling")
		default:
			require.NotEmpty(t, key.Bytes())
			require.LessOrEqual(t, len(key.Bytes()), 1024)
			require.False(t, strings.HasPrefix(text, "lbk1_"), "a damaged key must not become a passphrase")
		}
	})
}

func FuzzGeneratedKeyBothWays(f *testing.F) {
	f.Add(rawKey[:])
	f.Fuzz(func(t *testing.T, raw []byte) {
		var random [32]byte
		copy(random[:], raw)
		key, err := domain.ParseEncryptionKey(domain.FormatGeneratedKey(random))
		require.NoError(t, err)
		require.True(t, key.Generated())
		require.Equal(t, random[:], key.Bytes())
	})
}
