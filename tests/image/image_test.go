//go:build e2e && linux

package image

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/tests/engine"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

const tag = "lockbox-test:image"

// maxImageBytes is the maximum size of the image. A small image is quick to pull.
const maxImageBytes = 40 << 20

// TestImage builds the image with the command make image. It then tests the first start of a container, requests, a
// restart, and a start without the secret. The containers run with the restrictions of docker-compose.yml.
func TestImage(t *testing.T) {
	e := engine.Running(t)
	out, err := e.Command("make", "image", "IMAGE="+tag, "VERSION=1.2.3-test")
	require.NoError(t, err, out)
	t.Cleanup(func() { _, _ = e.Try("image", "rm", "-f", tag) })

	t.Run("metadata", func(t *testing.T) { checkMetadata(t, e) })
	t.Run("version", func(t *testing.T) {
		out := e.Docker(confined("--rm", "--network=none", tag, "version")...)
		assert.Equal(t, "1.2.3-test", strings.Split(out, "\n")[0])
	})
	t.Run("first start and restart", func(t *testing.T) { checkFirstStart(t, e) })
}

func checkMetadata(t *testing.T, e *engine.Engine) {
	var images []struct {
		Size   int64
		Config struct {
			User            string
			Entrypoint, Cmd []string
			ExposedPorts    map[string]struct{}
			Healthcheck     struct{ Test []string }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(e.Docker("image", "inspect", tag)), &images))
	require.Len(t, images, 1)
	config := images[0].Config
	assert.Equal(t, "65532:65532", config.User)
	assert.Equal(t, []string{"/lockbox"}, config.Entrypoint)
	assert.Equal(t, []string{"serve"}, config.Cmd)
	assert.Contains(t, config.ExposedPorts, "5000/tcp")
	assert.Equal(t, []string{"CMD", "/lockbox", "health"}, config.Healthcheck.Test)
	assert.Less(t, images[0].Size, int64(maxImageBytes))
	t.Logf("image size: %.1f MB", float64(images[0].Size)/1e6)
}

func checkFirstStart(t *testing.T, e *engine.Engine) {
	login, secrets, empty := volume(t, e, "login"), volume(t, e, "secrets"), volume(t, e, "empty")
	database := overTCP(t, pgtest.Empty(t))
	address := freeAddress(t)

	// The first-run service of docker-compose.yml runs at every start. The second run must change nothing.
	for range 2 {
		e.Docker(confined("--rm", "--user=0:0", "--network=none", "--cap-add=CHOWN", "--cap-add=DAC_OVERRIDE",
			"--cap-add=FOWNER", "-v", login+":/login", tag, "first-run", "/login")...)
	}
	serve := func(name, secrets string) []string {
		return confined("-d", "--name", name, "--network=host", "--health-interval=1s",
			"-v", login+":/login:ro", "-v", secrets+":/secrets",
			"-e", "LOCKBOX_HTTP_ADDR="+address, "-e", "LOCKBOX_DATABASE_URL="+database,
			"-e", "LOCKBOX_KDF_MEMORY_KIB=64",
			"-e", "LOCKBOX_INIT_TOKEN_FILE=/login/init-token", "-e", "LOCKBOX_SECRET_KEY_FILE=/secrets/secret-key",
			tag, "serve", "--create-secret")
	}
	name := fmt.Sprintf("lockbox-test-%d", time.Now().UnixNano())
	e.Docker(serve(name, secrets)...)
	t.Cleanup(func() { _, _ = e.Try("rm", "-f", "-v", name) })
	waitHealthy(t, e, name)

	token := initToken(t, e.Docker("logs", name))
	client := caller{t: t, url: "http://" + address}
	const owner = `{"username":"root","password":"root-password"}`
	status, body := client.call("POST", "/init", owner, "X-Init-Token", token)
	require.Equal(t, 200, status, "%s", body)
	var initialized struct{ APIKey string }
	require.NoError(t, json.Unmarshal(body, &initialized))
	client.key = initialized.APIKey
	const value = `{"email":"my@email.com","password":"secret"}`
	status, body = client.call("POST", "/boxes/default", "")
	require.Equal(t, 201, status, "%s", body)
	status, body = client.call("POST", "/boxes/default/entries", `{"key":"mail","value":`+value+`}`,
		"X-Encryption-Key", "a passphrase")
	require.Equal(t, 201, status, "%s", body)

	// The server stops cleanly. After a restart, the server finds the same secret and data.
	e.Docker("stop", "-t", "40", name)
	assert.Equal(t, "0", e.Docker("inspect", "-f", "{{.State.ExitCode}}", name))
	e.Docker("start", name)
	waitHealthy(t, e, name)
	status, body = client.call("GET", "/boxes/default/entries/mail", "", "X-Encryption-Key", "a passphrase")
	assert.Equal(t, 200, status)
	assert.Equal(t, value, string(body))
	e.Docker("stop", "-t", "40", name)

	// If the database contains keys but the volume of the secret is missing, the server must not create a new secret.
	lost := name + "-lost"
	e.Docker(serve(lost, empty)...)
	t.Cleanup(func() { _, _ = e.Try("rm", "-f", "-v", lost) })
	assert.NotEqual(t, "0", e.Docker("wait", lost))
	assert.Contains(t, e.Docker("logs", lost), "/secrets/secret-key")
}

// confined returns the docker arguments that run a container with the restrictions of docker-compose.yml. They end with
// the values in args.
func confined(args ...string) []string {
	return append([]string{"run", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges:true"}, args...)
}

func volume(t *testing.T, e *engine.Engine, name string) string {
	t.Helper()
	name = fmt.Sprintf("lockbox-test-%s-%d", name, time.Now().UnixNano())
	e.Docker("volume", "create", name)
	t.Cleanup(func() { _, _ = e.Try("volume", "rm", "-f", name) })
	return name
}

func waitHealthy(t *testing.T, e *engine.Engine, name string) {
	t.Helper()
	for range 120 {
		switch state := e.Docker("inspect", "-f", "{{.State.Status}} {{.State.Health.Status}}", name); state {
		case "running healthy":
			return
		case "running starting", "running unhealthy":
			time.Sleep(500 * time.Millisecond)
		default:
			t.Fatalf("the container is %s\n%s", state, e.Docker("logs", name))
		}
	}
	t.Fatalf("the container did not become healthy\n%s", e.Docker("logs", name))
}

// initToken returns the init token from the server's log, in JSON or text format.
func initToken(t *testing.T, log string) string {
	t.Helper()
	for line := range strings.Lines(log) {
		var record struct {
			InitToken string `json:"init_token"`
		}
		if json.Unmarshal([]byte(line), &record) == nil && record.InitToken != "" {
			return record.InitToken
		}
		if _, after, found := strings.Cut(line, "init_token="); found {
			token, _, _ := strings.Cut(strings.TrimSpace(after), " ")
			return token
		}
	}
	t.Fatalf("the log contains no init token:\n%s", log)
	return ""
}

type caller struct {
	t        *testing.T
	url, key string
}

func (c caller) call(method, path, body string, headers ...string) (int, []byte) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, c.url+path, strings.NewReader(body))
	require.NoError(c.t, err)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.key != "" {
		request.Header.Set("Authorization", "Bearer "+c.key)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(c.t, err)
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	require.NoError(c.t, err)
	return response.StatusCode, content
}

// overTCP forwards a port on loopback to the database, and returns the database URL with this port. Some test databases
// listen only on a Unix socket, which is not in the container. A container in the host's network can reach the port.
func overTCP(t *testing.T, database string) string {
	t.Helper()
	config, err := pgx.ParseConfig(database)
	require.NoError(t, err)
	network, address := "tcp", net.JoinHostPort(config.Host, fmt.Sprint(config.Port))
	if strings.HasPrefix(config.Host, "/") {
		network, address = "unix", fmt.Sprintf("%s/.s.PGSQL.%d", config.Host, config.Port)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			inner, err := listener.Accept()
			if err != nil {
				return
			}
			go forward(inner, network, address)
		}
	}()
	reachable := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(config.User, config.Password),
		Host:     listener.Addr().String(),
		Path:     "/" + config.Database,
		RawQuery: "sslmode=disable",
	}
	return reachable.String()
}

func forward(inner net.Conn, network, address string) {
	defer func() { _ = inner.Close() }()
	outer, err := net.Dial(network, address)
	if err != nil {
		return
	}
	defer func() { _ = outer.Close() }()
	go func() { _, _ = io.Copy(outer, inner); _ = outer.Close() }()
	_, _ = io.Copy(inner, outer)
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}
