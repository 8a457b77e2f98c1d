package client_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/domain"
)

func TestURL(t *testing.T) {
	t.Parallel()
	for url, good := range map[string]bool{
		"https://lockbox.example.org": true, "https://lockbox.example.org/": true,
		"https://example.org/team/lockbox/": true,
		"http://127.0.0.1:5000":             true, "http://127.8.9.10": true, "http://[::1]:5000": true,
		"http://localhost:5000": true,
		"http://LOCALHOST":      true, "https://10.0.0.1:8443": true,
		"http://lockbox.example.org": false, "http://10.0.0.1": false, "http://lockbox.default.svc:5000": false,
		"http://localhost.example.org": false, "http://127.0.0.1.example.org": false, "http://0.0.0.0": false,
		"": false, "lockbox.example.org": false, "lockbox.example.org:5000": false, "ftp://example.org": false,
		"https://": false,
		"https://" + canary + ":" + canary + "@example.org": false, "https://example.org?a=b": false,
		"https://example.org#a": false,
		"https://example.org?":  false, "https:example.org": false, "https://exa mple.org/" + canary: false,
		"https://%zz" + canary: false,
	} {
		c, err := client.New(client.Config{URL: url})
		if good {
			require.NoError(t, err, url)
			require.Equal(t, strings.TrimRight(url, "/"), c.URL())
			continue
		}
		require.ErrorIs(t, err, client.ErrInvalid, url)
		require.Equal(t, "URL", failure(t, err).Field)
		require.NotContains(t, err.Error(), canary)
	}
	_, err := client.New(client.Config{URL: "http://lockbox.default.svc:5000", AllowHTTP: true})
	require.NoError(t, err)
}

func TestURLWithAPath(t *testing.T) {
	t.Parallel()
	paths := make(chan string, 1)
	url, _ := broken(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		paths <- r.RequestURI
		w.WriteHeader(http.StatusNoContent)
	})
	require.NoError(t, connect(t, at(url+"/team%2Fa/")).DeleteEntry(t.Context(), "box", "a/b:c d?#%", nil))
	require.Equal(t, "/team%2Fa/boxes/box/entries/a%2Fb:c%20d%3F%23%25", <-paths)
}

func TestAllMistakesAreReported(t *testing.T) {
	t.Parallel()
	_, err := client.New(client.Config{
		Token:            secret(canary + "\n"),
		Entry:            "app",
		UserAgent:        "a\r\nb",
		MaxAttempts:      -1,
		RetryWait:        -1,
		MaxRetryWait:     -1,
		AttemptTimeout:   -1,
		MaxResponseBytes: -1,
	})
	require.ErrorIs(t, err, client.ErrInvalid)
	require.NotContains(t, err.Error(), canary)
	for _, field := range []string{"URL", "Token", "Entry", "UserAgent", "MaxAttempts", "RetryWait", "MaxRetryWait",
		"AttemptTimeout", "MaxResponseBytes"} {
		require.ErrorContains(t, err, field+" ")
	}
}

func TestFromEnv(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	t.Setenv("LOCKBOX_API_KEY", "")
	t.Setenv("LOCKBOX_API_KEY_FILE", file("key", rootKey.Reveal()+"\n"))
	t.Setenv("LOCKBOX_ENCRYPTION_KEY", "")
	t.Setenv("LOCKBOX_ENCRYPTION_KEY_FILE", file("encryption", encryption.Reveal()))
	c, err := client.FromEnv()
	require.NoError(t, err)
	_, err = c.ReadEntry(t.Context(), "prod", "app", nil)
	require.NoError(t, err)

	t.Setenv("LOCKBOX_API_URL", "")
	t.Setenv("LOCKBOX_API_KEY", canary)
	t.Setenv("LOCKBOX_ENCRYPTION_KEY_FILE", file("damaged", "lbk1_"+canary))
	t.Setenv("LOCKBOX_BOX_NAME_FILE", filepath.Join(dir, "missing"))
	t.Setenv("LOCKBOX_BOX_NAME", "")
	t.Setenv("LOCKBOX_API_ALLOW_HTTP", "perhaps")
	_, err = client.FromEnv()
	require.ErrorIs(t, err, client.ErrInvalid)
	require.NotContains(t, err.Error(), canary)
	for _, name := range []string{"LOCKBOX_API_URL: is not set",
		"LOCKBOX_API_KEY: is set, but LOCKBOX_API_KEY_FILE is set, too",
		"LOCKBOX_ENCRYPTION_KEY: the generated key is damaged", "LOCKBOX_BOX_NAME_FILE: ", "LOCKBOX_API_ALLOW_HTTP: "} {
		require.ErrorContains(t, err, name)
	}

	t.Setenv("LOCKBOX_API_URL", "http://lockbox.default.svc:5000")
	_, err = client.FromEnv()
	require.ErrorContains(t, err, "LOCKBOX_ENCRYPTION_KEY: ")
	require.ErrorContains(t, err, "URL must use https:// for a server on another machine",
		"problems that New finds are reported too")

	t.Setenv("LOCKBOX_API_KEY_FILE", "")
	t.Setenv("LOCKBOX_ENCRYPTION_KEY_FILE", "")
	t.Setenv("LOCKBOX_BOX_NAME_FILE", "")
	t.Setenv("LOCKBOX_API_URL", "http://lockbox.default.svc:5000")
	t.Setenv("LOCKBOX_ENTRY_KEY", "")
	t.Setenv("LOCKBOX_API_ALLOW_HTTP", "true")
	c, err = client.FromEnv()
	require.NoError(t, err)
	require.ErrorIs(t, c.Unmarshal(t.Context(), new(any)), client.ErrInvalid)
}

// TestNothingPrints checks that no value of this package reveals its secret through fmt or slog.
func TestNothingPrints(t *testing.T) {
	t.Parallel()
	passphrase, err := client.ParseEncryptionKey(canary)
	require.NoError(t, err)
	config := client.Config{URL: serverURL, Token: secret(canary), EncryptionKey: passphrase}
	c, err := client.New(config)
	require.NoError(t, err)
	type outer struct {
		Config client.Config
		Client *client.Client
		inner  client.Config
		token  *client.Secret
		value  client.Client
	}
	wrapped := outer{config, c, config, &config.Token, *c}
	for _, value := range []any{config, &config, c, *c, c.Accounts(), wrapped, &wrapped,
		config.Token, &config.Token, passphrase, &passphrase,
		client.Credentials{Username: "anna", Password: secret(canary), Code: secret(canary)},
		client.TokenPair{Access: secret(canary)},
		client.Enrolment{RecoveryCodes: []client.Secret{secret(canary)}}, client.Entry{Value: json.RawMessage(canary)},
		&client.Entry{Value: json.RawMessage(canary)}, []client.Entry{{Value: json.RawMessage(canary)}},
		client.Droplet{PrivateKey: secret(canary)}, client.User{APIKeys: []client.Secret{secret(canary)}},
		client.UserChange{Password: secret(canary)}, client.FirstUser{InitToken: secret(canary)}} {
		var out bytes.Buffer
		_, isEntry := value.(client.Entry)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p", "%t", "% x", "%10.3s"} {
			if isEntry && verb == "%p" {
				continue // %p calls no method, and Value is an exported field
			}
			_, _ = fmt.Fprintf(&out, verb+"\n", value)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("value", "value", value)
		if !isEntry {
			slog.New(slog.NewJSONHandler(&out, nil)).Info("value", "value", value)
		}
		for _, spelling := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary),
			fmt.Sprintf("% x", canary),
			strings.Trim(fmt.Sprint([]byte(canary)), "[]")} {
			assert.NotContains(t, out.String(), spelling, "%T", value)
		}
	}
	require.Equal(t, "client of "+serverURL, fmt.Sprint(c))
	require.Equal(t, "[client.Secret]", config.Token.String())
	require.Equal(t, "[client.EncryptionKey]", passphrase.String())
	require.Equal(t, canary, config.Token.Reveal())
	require.Empty(t, client.Secret{}.Reveal())
}

// TestEncryptionKeySpellings compares the parser of the client with the parser of the server.
func TestEncryptionKeySpellings(t *testing.T) {
	t.Parallel()
	good := client.GenerateEncryptionKey().Reveal()
	require.NotEqual(t, good, client.GenerateEncryptionKey().Reveal())
	for _, text := range []string{good, good[:len(good)-1], good + "A", strings.Replace(good, "_", "_A", 1), "lbk1_",
		flip(good, 10), flip(good, len(good)-1),
		"", "b64:", "b64:3q2+7w==", "b64:3q2+7w", "b64:!!", "passphrase", "ünïcödé", " spaces ", "new\nline",
		strings.Repeat("x", 1024),
		strings.Repeat("x", 1025), "b64:" + strings.Repeat("AAAA", 400), "\x00",
		// These inputs are damaged keys and a passphrase in quotes. The keys have additional or missing characters, are
		// in upper case, or are encoded.
		`"` + good + `"`, "KEY=" + good, "X-Encryption-Key: " + good, "\ufeff" + good, good + "\n", " " + good,
		strings.ToUpper(good), good[5:], base64.StdEncoding.EncodeToString([]byte(good)), `"b64:3q2+7w=="`, `"quoted"`,
	} {
		mine, err := client.ParseEncryptionKey(text)
		theirs, refused := domain.ParseEncryptionKey(text)
		require.Equal(t, refused == nil, err == nil, "%q", text)
		if err != nil {
			require.ErrorIs(t, err, client.ErrInvalid)
			require.Equal(t, domain.CodeOf(refused), failure(t, err).Code)
			require.Equal(t, text == "", failure(t, err).Is(client.ErrEncryptionKeyRequired))
			require.True(t, mine.IsZero())
			continue
		}
		arrived, refused := domain.ParseEncryptionKey(mine.Reveal())
		require.NoError(t, refused)
		require.Equal(t, theirs.Bytes(), arrived.Bytes(), "%q", text)
		require.Equal(t, theirs.Generated(), mine.Generated())
		require.Equal(t, strings.TrimSpace(mine.Reveal()), mine.Reveal(),
			"a header does not preserve leading or trailing spaces")
	}
	_, err := client.PassphraseKey(nil)
	require.ErrorIs(t, err, client.ErrEncryptionKeyRequired)
	_, err = client.PassphraseKey(make([]byte, 1025))
	require.ErrorIs(t, err, client.ErrInvalid)
}

// TestDamagedKeyInEnvironment checks that the client refuses a key with additional characters around it, both in an
// environment variable and in a secret file.
func TestDamagedKeyInEnvironment(t *testing.T) {
	good := client.GenerateEncryptionKey().Reveal()
	t.Setenv("LOCKBOX_API_URL", "https://lockbox.example.org")
	t.Setenv("LOCKBOX_API_KEY", "token")
	path := filepath.Join(t.TempDir(), "key")
	for _, text := range []string{`"` + good + `"`, "LOCKBOX_ENCRYPTION_KEY=" + good, "\ufeff" + good + "\n",
		good + "\n\n", "\xff\xfe" + strings.Join(strings.Split(good, ""), "\x00") + "\x00"} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		t.Setenv("LOCKBOX_ENCRYPTION_KEY_FILE", path)
		_, err := client.FromEnv()
		require.ErrorIs(t, err, client.ErrInvalid, "%q", text)
		require.ErrorContains(t, err, "LOCKBOX_ENCRYPTION_KEY: ")
		require.NotContains(t, err.Error(), good[5:20])
		t.Setenv("LOCKBOX_ENCRYPTION_KEY_FILE", "")
		if strings.Contains(text, "\x00") {
			continue // a variable cannot hold NUL
		}
		t.Setenv("LOCKBOX_ENCRYPTION_KEY", text)
		_, err = client.FromEnv()
		require.ErrorIs(t, err, client.ErrInvalid, "%q", text)
		var key client.EncryptionKey
		require.Error(t, key.UnmarshalText([]byte(text)))
		t.Setenv("LOCKBOX_ENCRYPTION_KEY", "")
	}
}

// flip replaces the character at the given position with A, or with B if that character is A.
func flip(text string, at int) string {
	other := "A"
	if text[at] == 'A' {
		other = "B"
	}
	return text[:at] + other + text[at+1:]
}

func TestTokenThatCannotBeOne(t *testing.T) {
	t.Parallel()
	_, err := connect(t, nil).WithToken(secret("two\nlines")).WhoAmI(t.Context())
	require.ErrorIs(t, err, client.ErrUnauthenticated)
}

func FuzzParseEncryptionKey(f *testing.F) {
	f.Add("lbk1_AAAA")
	f.Add("b64:3q2+7w==")
	f.Add(encryption.Reveal())
	f.Fuzz(func(t *testing.T, text string) {
		mine, err := client.ParseEncryptionKey(text)
		if err != nil {
			return
		}
		want, wantErr := domain.ParseEncryptionKey(text)
		got, gotErr := domain.ParseEncryptionKey(mine.Reveal())
		if gotErr != nil || wantErr == nil && !bytes.Equal(want.Bytes(), got.Bytes()) {
			t.Fatalf("%q arrives as another key", text)
		}
	})
}

func TestDuration(t *testing.T) {
	t.Parallel()
	var settings struct{ Wait client.Duration }
	require.NoError(t, json.Unmarshal([]byte(`{"wait":"1h30m"}`), &settings))
	require.Equal(t, 90*time.Minute, time.Duration(settings.Wait))
	text, err := json.Marshal(settings)
	require.NoError(t, err)
	require.JSONEq(t, `{"Wait":"1h30m0s"}`, string(text))
	require.Error(t, json.Unmarshal([]byte(`{"wait":5}`), &settings))
	require.NotContains(t, fmt.Sprint(json.Unmarshal([]byte(`{"wait":"`+canary+`"}`), &settings)), canary)
}
