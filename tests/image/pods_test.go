//go:build e2e && linux

package image

import (
	"crypto/tls"
	"crypto/x509"
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

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/lockbox-go/lockbox/tests/live"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// node replaces a kubelet in these tests: it runs each container of a manifest as a process. The volumes of the
// containers are folders in dir.
type node struct {
	t       *testing.T
	program string
	dir     string
	port    string
}

// newNode builds the program, and writes the files that a kubelet would create from the Secrets.
func newNode(t *testing.T) node {
	t.Helper()
	n := node{t: t, dir: t.TempDir()}
	n.program = filepath.Join(n.dir, "lockbox")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", n.program, "../../cmd/lockbox").CombinedOutput()
	require.NoError(t, err, "%s", out)
	_, n.port, err = net.SplitHostPort(freeAddress(t))
	require.NoError(t, err)
	certificate, key := selfSigned(t, "localhost")
	for path, content := range map[string]string{
		"run/lockbox/secret-key":   live.Secret + "\n",
		"run/lockbox/database-url": pgtest.Empty(t) + "\n",
		"run/lockbox/init-token":   "token-of-the-secret\n",
		"run/owner/password":       "password-of-the-owner\n",
		"run/tls/tls.crt":          certificate,
		"run/tls/tls.key":          key,
		"config/.keep":             "",
		"shared/.keep":             "",
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(n.dir, path)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(n.dir, path), []byte(content), 0o600))
	}
	return n
}

// command returns the command that runs a container as a process. In the arguments and the environment of the
// container, it replaces mount points by folders of the node, and the address of the Service by localhost.
func (n node) command(c container) *exec.Cmd {
	n.t.Helper()
	adapt := strings.NewReplacer("/run/", n.dir+"/run/", "/config", n.dir+"/config", "/shared", n.dir+"/shared",
		"lockbox.lockbox.svc:443", "localhost:"+n.port, "lockbox.$(NAMESPACE).svc", "localhost:"+n.port)
	var args []string
	for _, arg := range c.Args {
		args = append(args, adapt.Replace(arg))
	}
	command := exec.Command(n.program, args...)
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "LOCKBOX_HTTP_ADDR=127.0.0.1:" + n.port,
		"LOCKBOX_KDF_MEMORY_KIB=64"}
	for _, variable := range c.Env {
		if variable.Name == "LOCKBOX_METRICS_ADDR" {
			variable.Value = "127.0.0.1:0"
		}
		command.Env = append(command.Env, variable.Name+"="+adapt.Replace(variable.Value))
	}
	return command
}

// run runs a container until it exits.
func (n node) run(c container) {
	n.t.Helper()
	out, err := n.command(c).CombinedOutput()
	require.NoError(n.t, err, "%s", out)
	for _, secret := range []string{"token-of-the-secret", "password-of-the-owner", live.Secret, "lbx_"} {
		assert.NotContains(n.t, string(out), secret)
	}
}

// serve starts the server's container and waits until it is ready. The returned function stop stops the container as
// Kubernetes does, and returns the container's log.
func (n node) serve(c container) (stop func() string) {
	n.t.Helper()
	log := &live.Log{}
	command := n.command(c)
	command.Stdout, command.Stderr = log, log
	require.NoError(n.t, command.Start())
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	n.t.Cleanup(func() { _ = command.Process.Kill() })
	require.Eventually(n.t, func() bool { return n.status("GET", "/readyz", "") == 200 }, 30*time.Second,
		20*time.Millisecond, "%s", log)
	return func() string {
		require.NoError(n.t, command.Process.Signal(syscall.SIGTERM))
		require.NoError(n.t, <-ended, "%s", log)
		return log.String()
	}
}

// status sends a request to the server and returns the status of the response. If there is no response, it returns 0.
func (n node) status(method, path, body string) int {
	n.t.Helper()
	certificate, err := os.ReadFile(filepath.Join(n.dir, "run/tls/tls.crt"))
	require.NoError(n.t, err)
	roots := x509.NewCertPool()
	require.True(n.t, roots.AppendCertsFromPEM(certificate))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}
	client := http.Client{Transport: transport}
	request, err := http.NewRequestWithContext(n.t.Context(), method, "https://localhost:"+n.port+path,
		strings.NewReader(body))
	require.NoError(n.t, err)
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return 0
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	return response.StatusCode
}

// TestPods runs the containers from the Kustomize overlay and from the Helm chart: the server, the Job that creates the
// owner, and the pod that the command "helm test" starts.
func TestPods(t *testing.T) {
	t.Parallel()
	for name, objects := range map[string]func(t *testing.T) map[string]workload{
		"kustomize": func(t *testing.T) map[string]workload {
			t.Helper()
			return render(t, "kustomize", "build", production)
		},
		"helm": func(t *testing.T) map[string]workload {
			t.Helper()
			return render(t, "helm", "template", "lockbox", chart, "--namespace=lockbox", "--set=owner.create=true",
				"--set=drainDelaySeconds=1")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all, n := objects(t), newNode(t)
			stop := n.serve(all["Deployment"].Spec.Template.Spec.Containers[0])
			job := all["Job"].Spec.Template.Spec.Containers[0]
			n.run(job)
			signIn := `{"username":"root","password":"password-of-the-owner"}`
			assert.Equal(t, 200, n.status("POST", "/authenticate", signIn))
			assert.Equal(t, 404, n.status("GET", "/metrics", ""), "the port of the API does not serve metrics")
			// The Job runs again when the user applies the manifests again. It must succeed even if the owner's Secret
			// was deleted meanwhile.
			require.NoError(t, os.Remove(filepath.Join(n.dir, "run/owner/password")))
			n.run(job)
			if pod, found := all["Pod"]; found {
				n.run(pod.Spec.Containers[0])
			}
			log := stop()
			assert.NotContains(t, log, `"level":"WARN"`)
			assert.NotContains(t, log, `"level":"ERROR"`)
		})
	}
}

// TestInstallContainer runs the init container of the example, and then the program that it has installed.
func TestInstallContainer(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../deploy/kubernetes/examples/run.yaml")
	require.NoError(t, err)
	var example workload
	require.NoError(t, yaml.Unmarshal(text, &example))
	n := newNode(t)
	n.run(example.Spec.Template.Spec.InitContainers[0])
	command := example.Spec.Template.Spec.Containers[0].Others["command"].([]any)
	installed := strings.Replace(fmt.Sprint(command[0]), "/shared", n.dir+"/shared", 1)
	out, err := exec.CommandContext(t.Context(), installed, "version").Output()
	require.NoError(t, err)
	assert.NotEmpty(t, out)
}
