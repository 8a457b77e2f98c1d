package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"text/template"
	"time"
)

// secretKey protects no real data.
const secretKey = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"

// lockbox is a running Lockbox server.
type lockbox struct {
	// name is "multi-host" or "haproxy": the way in which the server connects to the database.
	name    string
	url     string
	command *exec.Cmd
	ended   chan struct{}
}

// startLockbox starts a server on a port of its own and waits until it is ready.
func startLockbox(ctx context.Context, program, folder, name, databaseURL string, port int) (*lockbox, error) {
	s := &lockbox{name: name, url: fmt.Sprintf("http://127.0.0.1:%d", port), ended: make(chan struct{})}
	log, err := os.Create(filepath.Join(folder, "lockbox-"+name+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s.command = exec.Command(program, "serve")
	s.command.Env = []string{
		"LOCKBOX_DATABASE_URL=" + databaseURL,
		"LOCKBOX_SECRET_KEY=" + secretKey,
		fmt.Sprintf("LOCKBOX_HTTP_ADDR=127.0.0.1:%d", port),
		"LOCKBOX_KDF_MEMORY_KIB=64",
		"LOCKBOX_KDF_TIME=1",
		// Zero switches the limit off. The server must not delete old versions, because the verification at the end of
		// the run reads every version.
		"LOCKBOX_ENTRY_VERSIONS=0",
		"LOCKBOX_MAX_BYTES_PER_BOX=0",
	}
	s.command.Stdout, s.command.Stderr = log, log
	s.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.command.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = s.command.Wait() // the log holds the reason
		close(s.ended)
	}()
	return s, s.awaitReady(ctx, log.Name())
}

// awaitReady waits until /readyz returns 200.
func (s *lockbox) awaitReady(ctx context.Context, log string) error {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		status, _, err := exchange(ctx, http.MethodGet, s.url+"/readyz", "", nil)
		if err == nil && status == http.StatusOK {
			return nil
		}
		select {
		case <-s.ended:
			text, _ := os.ReadFile(log)
			return fmt.Errorf("server %s ended: %s", s.name, text)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return fmt.Errorf("server %s is not ready after a minute; see %s", s.name, log)
}

// stop sends SIGTERM and waits until the server ends. It returns an error if the exit code is not 0.
func (s *lockbox) stop() error {
	if err := s.command.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("server %s: %w", s.name, err)
	}
	select {
	case <-s.ended:
	case <-time.After(time.Minute):
		return fmt.Errorf("server %s still runs a minute after SIGTERM", s.name)
	}
	if code := s.command.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("server %s exited with %d", s.name, code)
	}
	return nil
}

// proxyPort is the port on which HAProxy forwards connections to the primary.
const proxyPort = 6432

// startProxy starts HAProxy. HAProxy asks Patroni which node is the primary. It closes all connections to a node that
// is no longer the primary.
func startProxy(folder string, c *cluster) error {
	var config bytes.Buffer
	servers := make(map[string]string)
	for _, each := range c.nodes {
		servers[each.name] = each.clientAddress()
	}
	if err := proxyTemplate.Execute(&config, map[string]any{"Port": proxyPort, "Servers": servers}); err != nil {
		return err
	}
	path := filepath.Join(folder, "haproxy.cfg")
	if err := os.WriteFile(path, config.Bytes(), 0o600); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(folder, "haproxy.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	program, err := exec.LookPath("haproxy")
	if err != nil {
		program = "/usr/sbin/haproxy"
	}
	command := exec.Command(program, "-db", "-f", path)
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return command.Start()
}

// proxyTemplate is the configuration that docs/high-availability.md recommends.
var proxyTemplate = template.Must(template.New("haproxy").Parse(`defaults
  mode tcp
  timeout connect 2s
  timeout client 30m
  timeout server 30m
  timeout check 1s

frontend lockbox
  bind 127.0.0.1:{{.Port}}
  default_backend primary

backend primary
  option httpchk GET /primary
  http-check expect status 200
  default-server inter 500ms fall 2 rise 1 on-marked-down shutdown-sessions
{{range $name, $address := .Servers}}  server {{$name}} {{$address}}:5432 check port 8008
{{end}}`))

// account is a user with a box and an API key.
type account struct{ name, token string }

// createAccounts creates the owner and the given number of users. Each user creates a box with the user's name.
func createAccounts(ctx context.Context, s *lockbox, count int) ([]account, error) {
	post := func(path, token string, body any, want int) (http.Header, string, error) {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, "", err
		}
		status, header, answer, err := exchangeWith(ctx, http.DefaultClient, http.MethodPost, s.url+path, string(text),
			map[string]string{"Authorization": "Bearer " + token})
		if err == nil && status != want {
			err = fmt.Errorf("POST %s: status %d: %s", path, status, answer)
		}
		return header, answer, err
	}
	type credentials struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}
	_, answer, err := post("/init", "", credentials{"root", "password of root"}, http.StatusOK)
	if err != nil {
		return nil, err
	}
	var owner struct {
		APIKey string `json:"apiKey"`
	}
	if err := json.Unmarshal([]byte(answer), &owner); err != nil {
		return nil, err
	}
	var accounts []account
	for i := range count {
		name := fmt.Sprintf("user%d", i+1)
		header, _, err := post("/users", owner.APIKey, credentials{name, "password of " + name}, http.StatusCreated)
		if err != nil {
			return nil, err
		}
		token := header.Get("X-Api-Key")
		if _, _, err := post("/boxes/"+name, token, struct{}{}, http.StatusCreated); err != nil {
			return nil, errors.Join(err, errors.New(strings.TrimSpace(answer)))
		}
		accounts = append(accounts, account{name: name, token: token})
	}
	return accounts, nil
}
