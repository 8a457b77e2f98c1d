package image

import (
	"encoding/json"
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/cmd/boot"
)

// TestHelmRefusesSecretSettings verifies that the chart's schema refuses a secret, such as LOCKBOX_SECRET_KEY, under
// "settings", because Helm stores values unencrypted in the cluster. The schema must accept the settings that name a
// file with a secret.
func TestHelmRefusesSecretSettings(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../deploy/helm/lockbox/values.schema.json")
	require.NoError(t, err)
	var schema struct {
		Properties struct {
			Settings struct {
				PropertyNames struct {
					Pattern string
					Not     struct{ Pattern string }
				}
			}
		}
	}
	require.NoError(t, json.Unmarshal(text, &schema))
	names := schema.Properties.Settings.PropertyNames
	allowed, refused := regexp.MustCompile(names.Pattern), regexp.MustCompile(names.Not.Pattern)
	accepts := func(name string) bool { return allowed.MatchString(name) && !refused.MatchString(name) }
	secrets := 0
	for _, setting := range boot.Settings() {
		if setting.Secret {
			secrets++
			assert.False(t, accepts(setting.Name), setting.Name)
		}
	}
	require.GreaterOrEqual(t, secrets, 8)
	for _, name := range []string{"LOCKBOX_TRACES_HEADERS_FILE", "LOCKBOX_AUDIT_STREAM_HEADER_FILE",
		"LOCKBOX_SECRET_KEY_PREVIOUS_FILE", "LOCKBOX_TRACES_URL", "LOCKBOX_TRUSTED_PROXIES"} {
		assert.True(t, accepts(name), name)
	}
}
