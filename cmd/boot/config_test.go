package boot

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	goodURL    = "LOCKBOX_DATABASE_URL=postgres://lockbox@127.0.0.1/lockbox"
	goodSecret = "LOCKBOX_SECRET_KEY=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
)

// mistakes returns the text that lockbox serve prints about the mistakes in an environment.
func mistakes(environ ...string) string {
	config, unknown, err := ReadEnvironment(environ)
	if err := AllMistakes(err, config.Validate(), unknown); err != nil {
		return err.Error()
	}
	return ""
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		setting string
		want    string // "" for no mistake
	}{
		"nothing else": {"HOME=/", ""},
		"an address":   {"LOCKBOX_HTTP_ADDR=127.0.0.1:8080", ""},
		"no port":      {"LOCKBOX_HTTP_ADDR=127.0.0.1", "LOCKBOX_HTTP_ADDR must be an address and a port"},
		"a level":      {"LOCKBOX_LOG_LEVEL=debug", ""},
		"no level":     {"LOCKBOX_LOG_LEVEL=loud", "LOCKBOX_LOG_LEVEL cannot be read as a level"},
		"a format":     {"LOCKBOX_LOG_FORMAT=text", ""},
		"no format":    {"LOCKBOX_LOG_FORMAT=xml", "LOCKBOX_LOG_FORMAT must be json or text"},
		"networks":     {"LOCKBOX_TRUSTED_PROXIES=10.0.0.0/8,::1/128", ""},
		"no networks": {"LOCKBOX_TRUSTED_PROXIES=10.0.0.1",
			"LOCKBOX_TRUSTED_PROXIES cannot be read as networks"},
		"an origin":               {"LOCKBOX_CORS_ORIGINS=https://app.example.org", ""},
		"no origin":               {"LOCKBOX_CORS_ORIGINS=app.example.org", "LOCKBOX_CORS_ORIGINS must be origins"},
		"a duration without unit": {"LOCKBOX_TOKEN_TTL=9", "LOCKBOX_TOKEN_TTL cannot be read as a duration"},
		"a duration in days":      {"LOCKBOX_TOKEN_TTL=30d", ""},
		"a duration in weeks":     {"LOCKBOX_TOKEN_TTL=2w1d12h", ""},
		"a sign inside":           {"LOCKBOX_TOKEN_TTL=2w-1h", "LOCKBOX_TOKEN_TTL cannot be read as a duration"},
		"days after hours":        {"LOCKBOX_TOKEN_TTL=1h1d", "LOCKBOX_TOKEN_TTL cannot be read as a duration"},
		"too short a life":        {"LOCKBOX_TOKEN_TTL=1s", "LOCKBOX_TOKEN_TTL must be at least 1m"},
		"a negative limit":        {"LOCKBOX_MAX_USERS_PER_BOX=-1", "LOCKBOX_MAX_USERS_PER_BOX must not be negative"},
		"no limit":                {"LOCKBOX_MAX_USERS_PER_BOX=0", ""},
		"values above bodies": {"LOCKBOX_MAX_VALUE_BYTES=2000000",
			"LOCKBOX_MAX_VALUE_BYTES must not be above LOCKBOX_MAX_BODY_BYTES"},
		"too little memory": {"LOCKBOX_KDF_MEMORY_KIB=7", "LOCKBOX_KDF_MEMORY_KIB must be from 8 to 262144"},
		"no number": {"LOCKBOX_KDF_TIME=two",
			"LOCKBOX_KDF_TIME cannot be read as a whole number in range"},
		"a drain delay":          {"LOCKBOX_DRAIN_DELAY=5s", ""},
		"a negative drain delay": {"LOCKBOX_DRAIN_DELAY=-1s", "LOCKBOX_DRAIN_DELAY must be from 0s to 5m"},
		"too long a drain delay": {"LOCKBOX_DRAIN_DELAY=6m", "LOCKBOX_DRAIN_DELAY must be from 0s to 5m"},
		"a certificate alone":    {"LOCKBOX_TLS_CERT=x", "LOCKBOX_TLS_CERT must be set together with LOCKBOX_TLS_KEY"},
		"a file that is not there": {"LOCKBOX_INIT_TOKEN_FILE=/does/not/exist",
			"LOCKBOX_INIT_TOKEN_FILE cannot be read"},
		"a prefix": {"LOCKBOX_DROPLET_PREFIX=web-", ""},
		"no prefix": {"LOCKBOX_DROPLET_PREFIX=Web",
			"LOCKBOX_DROPLET_PREFIX must be 1 to 40 lower-case letters"},
		"a size":             {"LOCKBOX_DROPLET_MEMORY=2g", ""},
		"no size":            {"LOCKBOX_DROPLET_MEMORY=much", "LOCKBOX_DROPLET_MEMORY must be a size"},
		"too small a size":   {"LOCKBOX_DROPLET_MEMORY=1m", "LOCKBOX_DROPLET_MEMORY must be a size"},
		"a log size":         {"LOCKBOX_DROPLET_LOG_SIZE=64k", ""},
		"no log limit":       {"LOCKBOX_DROPLET_LOG_SIZE=0", "LOCKBOX_DROPLET_LOG_SIZE must be a size of 64k"},
		"too small a log":    {"LOCKBOX_DROPLET_LOG_SIZE=63k", "LOCKBOX_DROPLET_LOG_SIZE must be a size of 64k"},
		"half a core":        {"LOCKBOX_DROPLET_CPUS=0.5", ""},
		"no core":            {"LOCKBOX_DROPLET_CPUS=0", "LOCKBOX_DROPLET_CPUS must be from 0.01"},
		"not a core":         {"LOCKBOX_DROPLET_CPUS=NaN", "LOCKBOX_DROPLET_CPUS must be from 0.01"},
		"no number of cores": {"LOCKBOX_DROPLET_CPUS=two", "LOCKBOX_DROPLET_CPUS cannot be read as a number"},
		"a host without images": {"LOCKBOX_DOCKER_HOST=unix:///run/docker.sock",
			"LOCKBOX_DROPLET_IMAGES must name at least one image"},
		"a key without the rest": {"LOCKBOX_DOCKER_TLS_KEY=hunter2",
			"LOCKBOX_DOCKER_TLS_CA must be set together with LOCKBOX_DOCKER_TLS_CERT and"},
		"no certificate":       {"LOCKBOX_DOCKER_TLS_CA=x", "LOCKBOX_DOCKER_TLS_CA "},
		"a Kubernetes service": {"LOCKBOX_PORT_5000_TCP=tcp://10.0.0.1:5000", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			printed := mistakes(goodURL, goodSecret, test.setting)
			if test.want == "" {
				require.Empty(t, printed)
				return
			}
			require.Contains(t, printed, test.want)
			require.Equal(t, 1, strings.Count(printed, "\n")+1, "one mistake is one line: %s", printed)
		})
	}
}

// TestTraceSettings checks the settings of traces. No mistake repeats a credential.
func TestTraceSettings(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]string{
		"TRACES_URL=http://localhost:4318/v1/traces":         "",
		"TRACES_URL=https://collector.example":               "",
		"TRACES_URL=localhost:4318":                          "must be an http or https URL",
		"TRACES_URL=grpc://localhost:4317":                   "must be an http or https URL",
		"TRACES_URL=http://user:hunter2@localhost/v1/traces": "must be an http or https URL without a password",
		"TRACES_RATIO=0":                                     "",
		"TRACES_RATIO=0.5":                                   "",
		"TRACES_RATIO=1.5":                                   "must be from 0 to 1",
		"TRACES_RATIO=-1":                                    "must be from 0 to 1",
		"TRACES_RATIO=NaN":                                   "must be from 0 to 1",
		"TRACES_HEADERS=Authorization=Bearer hunter2,x-id=1": "",
		"TRACES_HEADERS=hunter2":                             "must be comma-separated headers",
		"TRACES_HEADERS=a b=hunter2":                         "must be comma-separated headers",
		"TRACES_HEADERS=a=hunter2\r\nb: c":                   "must be comma-separated headers",
	} {
		printed := mistakes(goodURL, goodSecret, "LOCKBOX_"+setting)
		require.NotContains(t, printed, "hunter2")
		if want == "" {
			require.Empty(t, printed, setting)
			continue
		}
		require.Contains(t, printed, want, setting)
	}
}

// TestTraceHeadersNeedTLS verifies that LOCKBOX_TRACES_HEADERS requires an https URL for a collector on another
// machine. The headers may hold a credential, and plain HTTP would expose it on the network.
func TestTraceHeadersNeedTLS(t *testing.T) {
	t.Parallel()
	for address, private := range map[string]bool{
		"https://collector.example/v1/traces":         true,
		"http://localhost:4318/v1/traces":             true,
		"http://127.0.0.1:4318/v1/traces":             true,
		"http://[::1]:4318/v1/traces":                 true,
		"http://collector.example:4318/v1/traces":     false,
		"http://10.0.0.5:4318/v1/traces":              false,
		"http://localhost.example.org:4318/v1/traces": false,
	} {
		require.Empty(t, mistakes(goodURL, goodSecret, "LOCKBOX_TRACES_URL="+address))
		printed := mistakes(goodURL, goodSecret, "LOCKBOX_TRACES_URL="+address, "LOCKBOX_TRACES_HEADERS=x=hunter2")
		require.NotContains(t, printed, "hunter2")
		if private {
			require.Empty(t, printed, address)
			continue
		}
		require.Contains(t, printed, "LOCKBOX_TRACES_HEADERS requires an https URL", address)
	}
}

func TestDropletHosts(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"unix:///var/run/docker.sock": "",
		"tcp://127.0.0.1:2375":        "",
		"tcp://localhost:2375":        "",
		"tcp://[::1]:2375":            "",
		"tcp://10.0.0.1:2375":         "is on another machine",
		"tcp://docker.example:2376":   "is on another machine",
		"tcp://127.0.0.1.example:1":   "is on another machine",
		"tcp://127.0.0.1":             "must be unix",
		"tcp://u:p@127.0.0.1:1":       "must be unix",
		"tcp://127.0.0.1:1/path":      "must be unix",
		"unix://docker.sock":          "must be unix",
		"/var/run/docker.sock":        "must be unix",
		"ssh://host":                  "must be unix",
		"https://host:1":              "must be unix",
		"tcp://:::":                   "must be unix",
	} {
		printed := mistakes(goodURL, goodSecret, "LOCKBOX_DOCKER_HOST="+host, "LOCKBOX_DROPLET_IMAGES=x")
		if want == "" {
			require.Empty(t, printed, host)
			continue
		}
		require.Contains(t, printed, "LOCKBOX_DOCKER_HOST "+want, host)
	}
}

func TestAllMistakesAreReportedTogether(t *testing.T) {
	t.Parallel()
	printed := mistakes("LOCKBOX_SECRETKEY=x", "LOCKBOX_TOKEN_TTL=9", "LOCKBOX_LOG_FORMAT=xml",
		"LOCKBOX_MIN_PASSWORD_LENGTH=0")
	require.Len(t, strings.Split(printed, "\n"), 6)
	for _, part := range []string{"LOCKBOX_DATABASE_URL is not set", "LOCKBOX_SECRET_KEY is not set",
		"LOCKBOX_TOKEN_TTL", "LOCKBOX_LOG_FORMAT",
		"LOCKBOX_MIN_PASSWORD_LENGTH", "these variables are not settings: LOCKBOX_SECRETKEY"} {
		require.Contains(t, printed, part)
	}
}

func TestASecretIsNotRepeated(t *testing.T) {
	t.Parallel()
	printed := mistakes(goodURL, "LOCKBOX_SECRET_KEY=hunter2-hunter2", "LOCKBOX_SECRET_KEY_PREVIOUS=hunter2")
	require.Contains(t, printed, "LOCKBOX_SECRET_KEY ")
	require.Contains(t, printed, "LOCKBOX_SECRET_KEY_PREVIOUS ")
	require.NotContains(t, printed, "hunter2")
}

func TestSettingsFromFiles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(path, []byte(" kept \n\n"), 0o600))
	config, _, err := ReadEnvironment([]string{"LOCKBOX_INIT_TOKEN_FILE=" + path})
	require.NoError(t, err)
	require.Equal(t, " kept \n", string(config.InitToken.Bytes()), "one newline is dropped")

	_, _, err = ReadEnvironment([]string{"LOCKBOX_INIT_TOKEN_FILE=" + path, "LOCKBOX_INIT_TOKEN=x"})
	require.ErrorContains(t, err, "are both set")
}

func TestFirstRunCreatesMissingFiles(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "login")
	require.NoError(t, FirstRun(dir, "db:5432", os.Getuid()))
	before := make(map[string]string)
	for _, name := range []string{"database-password", "database-url", "init-token"} {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
		content, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		before[name] = string(content)
	}
	require.Contains(t, before["database-url"], strings.TrimSpace(before["database-password"])+"@db:5432/")
	require.NoError(t, os.Remove(filepath.Join(dir, "init-token")))
	require.NoError(t, FirstRun(dir, "db:5432", os.Getuid()))
	for name, content := range before {
		now, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, name != "init-token", string(now) == content, name)
	}
}

func TestDevNeedsItsOwnFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "open")
	require.NoError(t, os.Mkdir(dir, 0o700))
	require.NoError(t, checkOwn(dir))
	require.NoError(t, os.Chmod(dir, 0o777))
	require.ErrorContains(t, checkOwn(dir), "no other user can write to")
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(dir, link))
	require.Error(t, checkOwn(link))
}

// TestEverySettingIsDescribed checks that each setting has a description and each description has a setting.
func TestEverySettingIsDescribed(t *testing.T) {
	t.Parallel()
	for _, setting := range Settings() {
		require.NotEmpty(t, setting.Doc, setting.Name)
	}
	require.Len(t, settingDocs, len(Settings()))
}
