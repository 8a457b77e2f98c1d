package image

import (
	"os"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/lockbox-go/lockbox/cmd/boot"
)

type composeFile struct {
	Services map[string]service
	Volumes  map[string]any
	Networks map[string]struct{ Internal bool }
}

type service struct {
	Command       []string
	Environment   map[string]string
	Ports         []string
	Volumes       []string
	Networks      []string
	NetworkMode   string `yaml:"network_mode"`
	User          string
	ReadOnly      bool     `yaml:"read_only"`
	CapDrop       []string `yaml:"cap_drop"`
	CapAdd        []string `yaml:"cap_add"`
	SecurityOpt   []string `yaml:"security_opt"`
	Privileged    bool
	RestartPolicy string                                `yaml:"restart"`
	DependsOn     map[string]struct{ Condition string } `yaml:"depends_on"`
}

// mounts reports whether the service mounts the volume with the given name.
func (s service) mounts(volume string) bool {
	for _, v := range s.Volumes {
		if name, _, _ := strings.Cut(v, ":"); name == volume {
			return true
		}
	}
	return false
}

func readCompose(t *testing.T) composeFile {
	t.Helper()
	text, err := os.ReadFile("../../docker-compose.yml")
	require.NoError(t, err)
	var file composeFile
	require.NoError(t, yaml.Unmarshal(text, &file))
	require.Contains(t, file.Services, "lockbox")
	require.Contains(t, file.Services, "postgres")
	require.Contains(t, file.Services, "first-run")
	return file
}

func TestComposeHoldsNoSecret(t *testing.T) {
	t.Parallel()
	secretName := regexp.MustCompile(`(?i)password|secret|token|_url|_key`)
	for name, s := range readCompose(t).Services {
		for variable, value := range s.Environment {
			if secretName.MatchString(variable) {
				assert.True(t, strings.HasSuffix(variable, "_FILE"), "%s: %s must name a file", name, variable)
				assert.True(t, path.IsAbs(value), "%s: %s must be a path, not %q", name, variable, value)
			}
		}
	}
}

// TestComposeKeepsTheSecretFromTheDatabase verifies that only the lockbox container contains the secret, and only the
// postgres container contains the data. An attacker in one of these containers can therefore read the file with the
// secret or the files of the database, but not both.
func TestComposeKeepsTheSecretFromTheDatabase(t *testing.T) {
	t.Parallel()
	for name, s := range readCompose(t).Services {
		assert.Equal(t, name == "lockbox", s.mounts("secrets"), "%s mounts the volume of the secret", name)
		assert.Equal(t, name == "postgres", s.mounts("database"), "%s mounts the volume of the data", name)
	}
}

func TestComposePublishesLockboxOnLoopbackOnly(t *testing.T) {
	t.Parallel()
	file := readCompose(t)
	assert.True(t, file.Networks["database"].Internal)
	assert.Equal(t, []string{"database"}, file.Services["postgres"].Networks)
	assert.Equal(t, "none", file.Services["first-run"].NetworkMode)
	for name, s := range file.Services {
		if name != "lockbox" {
			assert.Empty(t, s.Ports, "%s is published", name)
		}
		for _, port := range s.Ports {
			assert.True(t, strings.HasPrefix(port, "127.0.0.1:"), "%s is published as %s", name, port)
		}
	}
}

func TestComposeGivesLockboxOnlyWhatItNeeds(t *testing.T) {
	t.Parallel()
	file := readCompose(t)
	for _, name := range []string{"lockbox", "first-run"} {
		s := file.Services[name]
		assert.True(t, s.ReadOnly, name)
		assert.Equal(t, []string{"ALL"}, s.CapDrop, name)
		assert.Contains(t, s.SecurityOpt, "no-new-privileges:true", name)
		assert.False(t, s.Privileged, name)
	}
	assert.Empty(t, file.Services["lockbox"].CapAdd)
	assert.Empty(t, file.Services["lockbox"].User, "the user of the image applies")
	assert.Equal(t, "service_healthy", file.Services["lockbox"].DependsOn["postgres"].Condition)
	assert.Equal(t, "service_completed_successfully", file.Services["lockbox"].DependsOn["first-run"].Condition)
	assert.Equal(t, "service_completed_successfully", file.Services["postgres"].DependsOn["first-run"].Condition)
}

// The settings in docker-compose.yml must be settings that the program knows.
func TestComposeSetsWhatLockboxReads(t *testing.T) {
	t.Parallel()
	s := readCompose(t).Services["lockbox"]
	files := t.TempDir()
	var environ []string
	for variable, value := range s.Environment {
		if !strings.HasSuffix(variable, "_FILE") {
			environ = append(environ, variable+"="+value)
			continue
		}
		file := path.Join(files, path.Base(value))
		require.NoError(t, os.WriteFile(file, []byte(strings.Repeat("A", 43)+"\n"), 0o600))
		environ = append(environ, variable+"="+file)
	}
	_, unknown, err := boot.ReadEnvironment(environ)
	require.NoError(t, err)
	assert.Empty(t, unknown)
}

// The service first-run must create its files at the paths from which the other services read them.
func TestFirstRunMakesTheFilesThatComposeNames(t *testing.T) {
	t.Parallel()
	file := readCompose(t)
	first := file.Services["first-run"]
	require.Len(t, first.Command, 2)
	dir := first.Command[1]
	require.Contains(t, first.Volumes, "login:"+dir)

	made := t.TempDir()
	require.NoError(t, os.Chmod(made, 0o755), "the mode of a new volume")
	require.NoError(t, boot.FirstRun(made, "postgres:5432", os.Getuid()))
	folder, err := os.Stat(made)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), folder.Mode().Perm())
	for _, named := range []string{
		file.Services["postgres"].Environment["POSTGRES_PASSWORD_FILE"],
		file.Services["lockbox"].Environment["LOCKBOX_DATABASE_URL_FILE"],
		file.Services["lockbox"].Environment["LOCKBOX_INIT_TOKEN_FILE"],
	} {
		require.Equal(t, dir, path.Dir(named))
		info, err := os.Stat(path.Join(made, path.Base(named)))
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), named)
	}
	url, err := os.ReadFile(path.Join(made, "database-url"))
	require.NoError(t, err)
	password, err := os.ReadFile(path.Join(made, "database-password"))
	require.NoError(t, err)
	// The script create-role.sh creates the role and the database in this URL.
	assert.Equal(t, "postgres://lockbox:"+strings.TrimSpace(string(password))+
		"@postgres:5432/lockbox?sslmode=disable", strings.TrimSpace(string(url)))

	// A second run changes nothing.
	require.NoError(t, boot.FirstRun(made, "postgres:5432", os.Getuid()))
	again, err := os.ReadFile(path.Join(made, "database-url"))
	require.NoError(t, err)
	assert.Equal(t, url, again)
}

// The metrics need no token. The port of the metrics must not be published, and the published port must not serve
// metrics.
func TestComposeKeepsMetricsOffThePublishedPort(t *testing.T) {
	t.Parallel()
	s := readCompose(t).Services["lockbox"]
	_, port, found := strings.Cut(s.Environment["LOCKBOX_METRICS_ADDR"], ":")
	require.True(t, found)
	for _, published := range s.Ports {
		assert.False(t, strings.HasSuffix(published, ":"+port), published)
	}
}

// The role of Lockbox must not be the superuser that the postgres image creates. A script must therefore create the
// role.
func TestComposeDatabaseRoleIsNoSuperuser(t *testing.T) {
	t.Parallel()
	s := readCompose(t).Services["postgres"]
	assert.Equal(t, "postgres", s.Environment["POSTGRES_USER"])
	assert.Contains(t, s.Volumes,
		"./deploy/postgres/create-role.sh:/docker-entrypoint-initdb.d/create-role.sh:ro")
	info, err := os.Stat("../../deploy/postgres/create-role.sh")
	require.NoError(t, err)
	assert.NotZero(t, info.Mode()&0o111, "the image sources a file that is not executable")
}
