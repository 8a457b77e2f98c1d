package kubernetes

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// kubeconfig is the path of a kubeconfig file. It gives kubectl and helm the rights of an administrator.
var kubeconfig string

// adminToken is the credential in kubeconfig. It need not be secret: the API server listens on loopback and runs only
// during the tests.
const adminToken = "admin-token-of-the-test"

func TestMain(m *testing.M) {
	code, err := withCluster(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// withCluster runs etcd and an API server, installs the custom resource definitions (CRDs), and then calls run.
func withCluster(run func() int) (code int, err error) {
	dir, err := os.MkdirTemp("", "lockbox-kubernetes-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	ports, err := freePorts(3)
	if err != nil {
		return 1, err
	}
	client, peer, secure := ports[0], ports[1], ports[2]
	stopEtcd, err := background(ctx, filepath.Join(dir, "etcd.log"), "etcd", "--data-dir="+filepath.Join(dir, "etcd"),
		"--listen-client-urls="+client, "--advertise-client-urls="+client,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=default="+peer)
	if err != nil {
		return 1, err
	}
	defer stopEtcd()
	options, err := serverOptions(dir, client, secure)
	if err != nil {
		return 1, err
	}
	log := filepath.Join(dir, "kube-apiserver.log")
	stopServer, err := background(ctx, log, "kube-apiserver", options...)
	if err != nil {
		return 1, err
	}
	defer stopServer()
	if err := await(ctx); err != nil {
		text, _ := os.ReadFile(log)
		return 1, fmt.Errorf("the API server did not become ready: %w\n%s", err, tail(text))
	}
	if err := installCRDs(ctx); err != nil {
		return 1, err
	}
	return run(), nil
}

// freePorts returns URLs that contain different unused ports on loopback.
func freePorts(n int) ([]string, error) {
	urls := make([]string, n)
	for i := range urls {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer func() { _ = listener.Close() }()
		urls[i] = "http://" + listener.Addr().String()
	}
	return urls, nil
}

// background starts a program and writes its output to the file named log. The returned function stop stops the program
// and waits until it has ended.
func background(ctx context.Context, log, name string, args ...string) (stop func(), err error) {
	file, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	command := exec.CommandContext(ctx, name, args...)
	command.Stdout, command.Stderr = file, file
	if err := command.Start(); err != nil {
		return nil, err
	}
	return func() {
		_ = command.Process.Kill() // the data is deleted anyway
		_ = command.Wait()
	}, nil
}

// serverOptions writes the files that the API server needs, and the file kubeconfig. It returns the arguments of the
// API server.
func serverOptions(dir, etcd, secure string) ([]string, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	address := strings.TrimPrefix(secure, "http://")
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	kubeconfig = filepath.Join(dir, "kubeconfig")
	keyFile, tokens := filepath.Join(dir, "service-account.key"), filepath.Join(dir, "tokens.csv")
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	// The certificate of the server is self-signed.
	config := `{apiVersion: v1, kind: Config, current-context: test,
clusters: [{name: test, cluster: {server: "https://` + address + `", insecure-skip-tls-verify: true}}],
users: [{name: admin, user: {token: ` + adminToken + `}}],
contexts: [{name: test, context: {cluster: test, user: admin}}]}`
	for path, content := range map[string]string{
		keyFile:    string(pem.EncodeToMemory(block)),
		tokens:     adminToken + ",admin,admin,system:masters\n",
		kubeconfig: config,
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return nil, err
		}
	}
	return []string{
		"--etcd-servers=" + etcd,
		"--bind-address=127.0.0.1",
		"--secure-port=" + port,
		"--cert-dir=" + filepath.Join(dir, "certificates"),
		"--token-auth-file=" + tokens,
		"--authorization-mode=RBAC",
		"--service-cluster-ip-range=10.0.0.0/24",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + keyFile,
		"--service-account-signing-key-file=" + keyFile,
		"--endpoint-reconciler-type=none",
	}, nil
}

// await waits until the API server is ready, and then returns nil. After two minutes, it returns an error with the
// server's last answer.
func await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		out, err := call(ctx, "", "kubectl", "get", "--raw", "/readyz")
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w\n%s", err, out)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// installCRDs installs the object types of Prometheus Operator and External Secrets Operator. The environment variable
// CRD_FOLDERS lists the folders of the Go modules that contain the types.
func installCRDs(ctx context.Context) error {
	var files []string
	for _, folder := range strings.Fields(os.Getenv("CRD_FOLDERS")) {
		for _, pattern := range []string{
			"example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
			"example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
			"config/crds/bases/external-secrets.io_externalsecrets.yaml",
			"config/crds/bases/external-secrets.io_secretstores.yaml",
		} {
			found, _ := filepath.Glob(filepath.Join(folder, pattern))
			files = append(files, found...)
		}
	}
	if len(files) != 4 {
		return fmt.Errorf("CRD_FOLDERS has %d of 4 files: run make test-kubernetes", len(files))
	}
	for _, file := range files {
		if out, err := call(ctx, "", "kubectl", "apply", "--server-side", "-f", file); err != nil {
			return fmt.Errorf("%w\n%s", err, out)
		}
	}
	out, err := call(ctx, "", "kubectl", "wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// call runs a program with the environment variable KUBECONFIG set to kubeconfig, and returns the program's output.
func call(ctx context.Context, stdin, name string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, name, args...)
	command.Stdin = strings.NewReader(stdin)
	command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	out, err := command.CombinedOutput()
	return string(out), err
}

// tail returns the end of a log.
func tail(text []byte) []byte {
	const most = 4000
	return text[max(0, len(text)-most):]
}
