package terminal

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/lockbox-go/lockbox/cmd/boot"
)

// TestEnvironment checks which variables a started program inherits and in which order. It also checks that the last
// value is used if a name occurs several times.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	inherited := []string{
		"PATH=/bin", "PORT=1", "LOCKBOX_API_KEY=k", "LOCKBOX_API_KEY_FILE=f", "LOCKBOX_ENCRYPTION_KEY=e",
		"LOCKBOX_ENCRYPTION_KEY_FILE=f", "LOCKBOX_SECRET_KEY_FILE=f", "LOCKBOX_API_URL=u", "EMPTY=",
		"MYLOCKBOX_API_KEY=mine",
	}
	assert.Equal(t, []string{"PATH=/bin", "PORT=3", "LOCKBOX_API_URL=u", "EMPTY=", "MYLOCKBOX_API_KEY=mine",
		"LOCKBOX_API_KEY=of the program"},
		environment(inherited, []string{"PORT=2", "LOCKBOX_API_KEY=of the program", "PORT=3"}))
	assert.Len(t, inherited, 10)
	assert.Equal(t, "LOCKBOX_API_KEY=k", inherited[2], "the arguments are unchanged")
}

// TestOwnVariablesAreComplete fails if the server has a secret setting that is missing from ownVariables.
func TestOwnVariablesAreComplete(t *testing.T) {
	t.Parallel()
	secrets := 0
	for _, field := range reflect.VisibleFields(reflect.TypeFor[boot.Config]()) {
		if field.Type.Implements(reflect.TypeFor[interface{ Bytes() []byte }]()) {
			secrets++
			assert.Contains(t, ownVariables, "LOCKBOX_"+field.Tag.Get("env"))
		}
	}
	assert.GreaterOrEqual(t, secrets, 6)
}

// TestCheckNames checks that checkNames refuses each unsafe variable that is not allowed, and that its errors contain
// no value.
func TestCheckNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"PATH", "Path", "LD_PRELOAD", "LD_LIBRARY_PATH", "DYLD_INSERT_LIBRARIES", "BASH_ENV",
		"BASH_FUNC_x%%", "NODE_OPTIONS", "PYTHONPATH", "PERL5OPT", "GIT_CONFIG_COUNT", "HOME",
		"PS1", "RANDOM", "OPTIND", "PERLLIB", "LUA_INIT_5_4", "GIT_EXEC_PATH", "MAKEFLAGS", "MAKEFILES",
		"GNUMAKEFLAGS", "RUSTC_WRAPPER", "GOFLAGS",
		"NODE_TLS_REJECT_UNAUTHORIZED", "GIT_SSL_NO_VERIFY", "PYTHONHTTPSVERIFY", "SSL_CERT_FILE", "SSL_CERT_DIR",
		"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "http_proxy", "HTTPS_PROXY", "all_proxy",
		"no_proxy", "npm_config_strict_ssl", "npm_config_https_proxy", "SSLKEYLOGFILE",
		"LOCKBOX_API_URL", "LOCKBOX_API_ALLOW_HTTP", "PGSSLMODE", "PIP_INDEX_URL", "PSQLRC", "KUBECONFIG",
		"MADE_UP_PROXY", "made_up_proxy", "MADE_UP_CA_CERTS", "MADE_UP_CA_BUNDLE", "MADE_UP_CERT_FILE",
		"MADE_UP_SSL_NO_VERIFY", "MADE_UP_TLS_REJECT_UNAUTHORIZED"} {
		assert.ErrorContains(t, checkNames([]string{"OK=1", name + "=hunter2"}, nil), "--allow "+name)
		assert.NoError(t, checkNames([]string{name + "=x"}, []string{name}))
	}
	assert.ErrorContains(t, checkNames([]string{"PATH=x", "LD_PRELOAD=y"}, []string{"PATH"}), "LD_PRELOAD")
	assert.NotContains(t, checkNames([]string{"PATH=hunter2"}, nil).Error(), "hunter2")
	for _, name := range []string{"DB_PASSWORD", "PORT", "PYTHONUNBUFFERED", "OLD_PATH", "NODE_ENV", "GOPATH_X",
		"PROXY_HOST",
		"MYPROXY", "CERT_FILE_NAME"} {
		assert.NoError(t, checkNames([]string{name + "=x"}, nil))
	}
}

// TestOnly checks that --only drops all other variables without an error. It also checks that --only returns an error
// if no entry sets a variable that it names.
func TestOnly(t *testing.T) {
	t.Parallel()
	pairs := []string{"A=1", "LD_PRELOAD=x", "AB=2", "a=3", "A=4"}
	assert.Equal(t, pairs, selectNames(pairs, nil))
	assert.Equal(t, []string{"A=1", "A=4"}, selectNames(pairs, []string{"A"}))
	assert.Equal(t, []string{"A=1", "AB=2", "A=4"}, selectNames(pairs, []string{"AB", "A"}))
	assert.Empty(t, selectNames(pairs, []string{"B"}))
	assert.NoError(t, checkOnly(pairs, nil))
	assert.NoError(t, checkOnly(pairs, []string{"A", "AB"}))
	assert.ErrorContains(t, checkOnly(pairs, []string{"A", "B"}), "the variable B, but no entry sets it")
}

// TestGenerate checks the length and the distribution of generated values.
func TestGenerate(t *testing.T) {
	t.Parallel()
	seen := map[rune]int{}
	for _, c := range generate(62 * 500) {
		seen[c]++
	}
	assert.Len(t, seen, len(alphabet))
	for c, times := range seen {
		assert.InDelta(t, 500, times, 150, "%c comes as often as the others", c) // more than six standard deviations
	}
	assert.Len(t, generate(1), 1)
	assert.NotEqual(t, generate(20), generate(20))
}
