//go:build e2e && linux

package image

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/tests/live"
)

// clientAddress is the source address of all clients in these tests. It differs from the proxy's address, 127.0.0.1.
const clientAddress = "127.0.0.2"

// proxy is a reverse proxy whose configuration is a file in deploy/proxies.
type proxy struct {
	file string
	// command returns the command line that runs the proxy. The argument "file" is the path of the configuration that
	// is adapted to the test. command can write further files to dir.
	command func(t *testing.T, dir, file string) []string
	// substitute lists the replacements that only the configuration of this proxy needs. Each old text is followed by
	// its new text.
	substitute []string
}

// proxies contains the proxies that the tests run. Traefik is missing, because Debian has no package of it.
var proxies = map[string]proxy{
	"nginx": {
		file: "nginx.conf",
		command: func(t *testing.T, dir, file string) []string {
			t.Helper()
			outer := filepath.Join(dir, "outer.conf")
			// The file in deploy/proxies contains only a server block. nginx requires an http block around it.
			text := fmt.Sprintf(`daemon off; worker_processes 1; pid %[1]s/pid; error_log stderr; %[3]s
events {}
http {
    client_body_temp_path %[1]s/temporary; proxy_temp_path %[1]s/temporary-proxy;
    fastcgi_temp_path %[1]s/1; uwsgi_temp_path %[1]s/2; scgi_temp_path %[1]s/3;
    access_log %[1]s/access.log;
    include %[2]s;
}`, dir, file, nginxUser())
			require.NoError(t, os.WriteFile(outer, []byte(text), 0o600))
			return []string{"nginx", "-p", dir, "-c", outer}
		},
		// With the default size of the send buffer, the kernel could buffer a whole response. nginx would then need no
		// file, and the test would prove nothing.
		substitute: []string{"listen 443 ssl", "listen ADDRESS ssl sndbuf=16k"},
	},
	"haproxy": {
		file: "haproxy.cfg",
		command: func(_ *testing.T, _, file string) []string {
			return []string{"haproxy", "-db", "-f", file}
		},
	},
	"caddy": {
		file: "Caddyfile",
		command: func(_ *testing.T, _, file string) []string {
			return []string{"caddy", "run", "--config", file, "--adapter", "caddyfile"}
		},
		// By default, Caddy also listens on fixed ports for its API and for the redirect to HTTPS. Other tests on the
		// machine could need these ports.
		substitute: []string{"lockbox.example.org {", "{\n\tadmin off\n\tauto_https disable_redirects\n" +
			"\tskip_install_trust\n}\nhttps://lockbox.example.org:PORT {"},
	},
}

// nginxUser returns the directive "user root;" if the test runs as root, otherwise "". Without it, nginx would run its
// workers as another user, who cannot read the test's files.
func nginxUser() string {
	if os.Geteuid() == 0 {
		return "user root;"
	}
	return ""
}

// start runs the proxy in front of a server. It returns the address on which the proxy listens, and the folder that
// contains the proxy's files.
func (p proxy) start(t *testing.T, server string) (address, dir string) {
	t.Helper()
	dir = t.TempDir()
	address = freeAddress(t)
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	certificate, key := selfSigned(t, "lockbox.example.org")
	for name, content := range map[string]string{
		"lockbox.crt": certificate,
		"lockbox.key": key,
		"lockbox.pem": certificate + key,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	text, err := os.ReadFile("../../deploy/proxies/" + p.file)
	require.NoError(t, err)
	replaced := strings.NewReplacer(append(p.substitute,
		"127.0.0.1:5000", strings.TrimPrefix(server, "http://"),
		"listen 443", "listen "+address,
		"bind :443", "bind "+address,
		"/etc/nginx", dir, "/etc/caddy", dir, "/etc/haproxy", dir)...).Replace(string(text))
	replaced = strings.NewReplacer("example.org:PORT", "example.org:"+port, "listen ADDRESS", "listen "+address).
		Replace(replaced)
	file := filepath.Join(dir, p.file)
	require.NoError(t, os.WriteFile(file, []byte(replaced), 0o600))

	line := p.command(t, dir, file)
	log := &live.Log{}
	command := exec.Command(line[0], line[1:]...)
	command.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	command.Stdout, command.Stderr = log, log
	require.NoError(t, command.Start())
	ended := make(chan struct{})
	go func() { _ = command.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = command.Process.Signal(os.Interrupt)
		<-ended
	})
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}, 20*time.Second, 20*time.Millisecond, "%s", log)
	return address, dir
}

// control is a function for net.Dialer.Control. It changes socket options before the connection is established.
type control func(network, address string, conn syscall.RawConn) error

// smallBuffer makes the receive buffer of a connection small. The kernel then buffers only a small part of a response
// that the client does not read.
func smallBuffer(_, _ string, conn syscall.RawConn) (err error) {
	controlErr := conn.Control(func(descriptor uintptr) {
		err = syscall.SetsockoptInt(int(descriptor), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096)
	})
	return errors.Join(controlErr, err)
}

// through returns an HTTP client that sends all requests for https://lockbox.example.org to the proxy, from the address
// clientAddress. The argument control can be nil.
func through(t *testing.T, address, certificate string, control control) *http.Client {
	t.Helper()
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM([]byte(certificate)))
	dialer := net.Dialer{
		Control:   control,
		LocalAddr: &net.TCPAddr{IP: net.ParseIP(clientAddress)},
		Timeout:   5 * time.Second,
	}
	return &http.Client{
		Timeout: 20 * time.Second,
		Transport: &http.Transport{
			ForceAttemptHTTP2: true,
			TLSClientConfig:   &tls.Config{RootCAs: roots},
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return dialer.DialContext(ctx, network, address)
			},
		},
	}
}

// proxied is a client that sends requests to a Lockbox server through a proxy.
type proxied struct {
	t      *testing.T
	client *http.Client
	slow   *http.Client // its connections hold little of a response
	key    string
	server *live.Server
	dir    string
}

// exchange sends a request with a JSON body. It returns the status and the body of the response.
func (c proxied) exchange(method, path string, body io.Reader) (int, string) {
	c.t.Helper()
	response, err := c.client.Do(c.request(method, path, body))
	require.NoError(c.t, err, "%s %s", method, path)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	require.NoError(c.t, err)
	return response.StatusCode, string(text)
}

// request returns a request with the credentials of this client.
func (c proxied) request(method, path string, body io.Reader) *http.Request {
	c.t.Helper()
	request, err := http.NewRequestWithContext(c.t.Context(), method, "https://lockbox.example.org"+path, body)
	require.NoError(c.t, err)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Encryption-Key", "canary passphrase of the proxies")
	// Lockbox must ignore this false address.
	request.Header.Set("X-Forwarded-For", "203.0.113.9")
	if c.key != "" {
		request.Header.Set("Authorization", "Bearer "+c.key)
	}
	return request
}

// TestProxies runs each proxy with its example configuration in front of a server.
func TestProxies(t *testing.T) {
	t.Parallel()
	for name, each := range proxies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// METRICS_ADDR is not set, so the server serves the metrics on the same address as the API. Only the proxy
			// hides them.
			server := live.Start(t, "TRUSTED_PROXIES=127.0.0.1/32")
			address, dir := each.start(t, server.URL)
			certificate, err := os.ReadFile(filepath.Join(dir, "lockbox.crt"))
			require.NoError(t, err)
			c := proxied{
				t:      t,
				client: through(t, address, string(certificate), nil),
				slow:   through(t, address, string(certificate), smallBuffer),
				server: server,
				dir:    dir,
			}
			const owner = `{"username":"root","password":"root-password"}`
			status, body := c.exchange("POST", "/init", strings.NewReader(owner))
			require.Equal(t, 200, status, body)
			var initialized struct{ APIKey string }
			require.NoError(t, json.Unmarshal([]byte(body), &initialized))
			c.key = initialized.APIKey
			status, body = c.exchange("POST", "/boxes/default", nil)
			require.Equal(t, 201, status, body)

			checkEscapes(c)
			checkAddress(c)
			checkBodies(c)
			checkStreams(c)
			checkMetricsHidden(c)
			checkNoTrace(c)
		})
	}
}
