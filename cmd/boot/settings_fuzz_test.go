package boot

import (
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzSettings sets each setting to arbitrary texts. ReadEnvironment must not panic. An error must name a setting, and
// must not repeat the text of a secret.
func FuzzSettings(f *testing.F) {
	for i := range Settings() {
		for _, text := range []string{"", "x", "0", "-1", "1h", "true", ":5000", "127.0.0.1:0", "https://a.example",
			"*", "10.0.0.0/8",
			"unix:///x", "tcp://h:1", "512m", "NaN", "1e400", "9223372036854775808", "postgres://u:p%zz@h/d", "a\x00b",
			strings.Repeat("A", 43), "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"} {
			f.Add(uint8(i), text)
		}
	}
	secrets := map[string]bool{}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Config]()) {
		if field.Type.Implements(reflect.TypeFor[interface{ Bytes() []byte }]()) {
			secrets[prefix+field.Tag.Get("env")] = true
		}
	}
	require.GreaterOrEqual(f, len(secrets), 6)
	f.Fuzz(func(t *testing.T, which uint8, text string) {
		name := Settings()[int(which)%len(Settings())].Name
		environ := []string{prefix + "DATABASE_URL=postgres://u@h/d", prefix + "SECRET_KEY=" + strings.Repeat("A", 43)}
		config, unknown, err := ReadEnvironment(append(environ, name+"="+text))
		require.Empty(t, unknown)
		all := AllMistakes(err, config.Validate(), unknown)
		if all == nil {
			return
		}
		require.Contains(t, all.Error(), prefix)
		for line := range strings.Lines(all.Error()) {
			require.NotEmpty(t, strings.TrimSpace(line))
		}
		// Shorter texts can occur in the messages by chance.
		const minText = 12
		if secrets[name] && len(text) >= minText {
			require.NotContains(t, all.Error(), text)
		}
	})
}
