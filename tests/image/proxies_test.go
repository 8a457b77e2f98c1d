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

// The clients in these tests use a separate address, so that a test can distinguish it from the address of the proxy.
const clientAddress = "127.0.0.2"

// proxy is a reverse proxy that runs a file of deploy/proxies.
type proxy struct {
	file string
	// command returns the program and its arguments for the adapted file in dir. It can write further files.
	command func(t *testing.T, dir, file string) []string
	// substitute holds further replacements for the file. The elements are pairs of old text and new text.
	substitute []string
}

// proxies are the proxies for which Debian has packages. Debian has no package of Traefik.
var proxies = map[string]proxy{
	"nginx": {
		file: "nginx.conf",
		command: func(t *testing.T, dir, file string) []string {
			t.Helper()
			outer := filepath.Join(dir, "outer.conf")
			// The file contains a server block, which must be inside the http block of nginx's configuration.
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
		// Without a small send buffer, the kernel would buffer the whole response.
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
		// Caddy must not use the default ports of its API and of the redirect to HTTPS.
		substitute: []string{"lockbox.example.org {", "{\n\tadmin off\n\tauto_https disable_redirects\n" +
			"\tskip_install_trust\n}\nhttps://lockbox.example.org:PORT {"},
	},
}

// nginxUser returns the directive with which the workers of nginx can read the test's files. Only root needs it.
func nginxUser() string {
	if os.Geteuid() == 0 {
		return "user root;"
	}
	return ""
}

// start runs the proxy in front of a server and returns its address, and its folder.
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

// control changes the socket of a connection before it is established.
type control func(network, address string, conn syscall.RawConn) error

// smallBuffer makes the receive buffer of a connection small, so it holds little of a response that the client does not
// read.
func smallBuffer(_, _ string, conn syscall.RawConn) (err error) {
	controlErr := conn.Control(func(descriptor uintptr) {
		err = syscall.SetsockoptInt(int(descriptor), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096)
	})
	return errors.Join(controlErr, err)
}

// through returns a client that reaches https://lockbox.example.org through the proxy, with the address clientAddress.
// control can be nil.
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

// proxied is a client of the API behind a proxy.
type proxied struct {
	t      *testing.T
	client *http.Client
	slow   *http.Client // its connections hold little of a response
	key    string
	server *live.Server
	dir    string
}

// exchange sends a request with JSON and returns the status and the body of the response.
func (c proxied) exchange(method, path string, body io.Reader) (int, string) {
	c.t.Helper()
	response, err := c.client.Do(c.request(method, path, body))
	require.NoError(c.t, err, "%s %s", method, path)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	require.NoError(c.t, err)
	return response.StatusCode, string(text)
}

// request returns a request of the caller.
func (c proxied) request(method, path string, body io.Reader) *http.Request {
	c.t.Helper()
	request, err := http.NewRequestWithContext(c.t.Context(), method, "https://lockbox.example.org"+path, body)
	require.NoError(c.t, err)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Encryption-Key", "canary passphrase of the proxies")
	// A client cannot choose its own address.
	request.Header.Set("X-Forwarded-For", "203.0.113.9")
	if c.key != "" {
		request.Header.Set("Authorization", "Bearer "+c.key)
	}
	return request
}

// TestProxies runs the examples of deploy/proxies in front of a server.
func TestProxies(t *testing.T) {
	t.Parallel()
	for name, each := range proxies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// Without METRICS_ADDR, only the proxy hides the metrics.
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
