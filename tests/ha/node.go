package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"text/template"
	"time"
)

// node is one machine of the cluster. It runs etcd, Patroni, and the PostgreSQL server that Patroni manages.
type node struct {
	*namespace
	name   string
	folder string
	// These commands run etcd and Patroni until the end of the run.
	etcd, patroni *exec.Cmd
}

// setup holds the settings that all nodes of a cluster share.
type setup struct {
	folder string
	bin    string // the folder with PostgreSQL's programs
	uid    string // the user who runs etcd, Patroni and PostgreSQL; PostgreSQL refuses root
	gid    string
	// If strict is set, replication is synchronous: a commit waits for a standby.
	strict bool
}

// newSetup returns the settings of a run. It looks up the operating system's user postgres.
func newSetup(folder, bin string, strict bool) (*setup, error) {
	account, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL refuses to run as root: create the user postgres: %w", err)
	}
	return &setup{
		folder: folder,
		bin:    bin,
		uid:    account.Uid,
		gid:    account.Gid,
		strict: strict,
	}, nil
}

// start writes the configuration of the node and starts etcd and Patroni.
func (n *node) start(s *setup, all []*node) error {
	for _, folder := range []string{n.folder, n.data()} {
		if err := s.own(folder); err != nil {
			return err
		}
	}
	var members []string
	for _, each := range all {
		members = append(members, fmt.Sprintf("%s=http://%s:2380", each.name, each.clusterAddress()))
	}
	var err error
	n.etcd, err = n.spawn(s, "etcd", "etcd", "--name", n.name, "--data-dir", filepath.Join(n.folder, "etcd"),
		"--listen-peer-urls", "http://"+n.clusterAddress()+":2380",
		"--listen-client-urls", "http://127.0.0.1:2379,http://"+n.clusterAddress()+":2379",
		"--advertise-client-urls", "http://"+n.clusterAddress()+":2379",
		"--initial-advertise-peer-urls", "http://"+n.clusterAddress()+":2380",
		"--initial-cluster", strings.Join(members, ","), "--initial-cluster-state", "new",
		"--enable-v2", "--heartbeat-interval", "150", "--election-timeout", "1500", "--unsafe-no-fsync")
	if err != nil {
		return err
	}
	config, err := n.patroniConfig(s, all)
	if err != nil {
		return err
	}
	path := filepath.Join(n.folder, "patroni.yml")
	if err := os.WriteFile(path, config, 0o644); err != nil {
		return err
	}
	n.patroni, err = n.spawn(s, "patroni", "patroni", path)
	return err
}

// spawn starts a program of the node. Its output is appended to a log file in the folder of the node.
func (n *node) spawn(s *setup, log string, command ...string) (*exec.Cmd, error) {
	file, err := os.OpenFile(filepath.Join(n.folder, log+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	argv := append(n.enter(), "setpriv", "--reuid="+s.uid, "--regid="+s.gid, "--clear-groups")
	argv = append(argv, command...)
	started := exec.Command(argv[0], argv[1:]...)
	started.Dir = n.folder
	started.Env = []string{"PATH=" + s.bin + ":" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "HOME=" + n.folder,
		"ETCD_UNSUPPORTED_ARCH=" + os.Getenv("ETCD_UNSUPPORTED_ARCH")}
	started.Stdout, started.Stderr = file, file
	started.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return started, started.Start()
}

// own creates a folder that belongs to the user of PostgreSQL.
func (s *setup) own(folder string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	uid, _ := strconv.Atoi(s.uid) // user.Lookup returned numbers
	gid, _ := strconv.Atoi(s.gid)
	return os.Chown(folder, uid, gid)
}

// data returns the path of PostgreSQL's data directory on this node.
func (n *node) data() string { return filepath.Join(n.folder, "data") }

// url returns the URL of a database on this node. The host in the URL is the node's address in the clients' network.
func (n *node) url(database string) string {
	return fmt.Sprintf("postgres://%s:%s@%s:5432/%s?sslmode=disable", superuser, password, n.clientAddress(), database)
}

// postgres returns the process ids of the PostgreSQL server: the postmaster and its children.
func (n *node) postgres() ([]int, error) {
	text, err := os.ReadFile(filepath.Join(n.data(), "postmaster.pid"))
	if err != nil {
		return nil, err
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	postmaster, err := strconv.Atoi(string(line))
	if err != nil {
		return nil, err
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", postmaster, postmaster))
	if err != nil {
		return nil, err
	}
	pids := []int{postmaster}
	for _, word := range strings.Fields(string(children)) {
		pid, _ := strconv.Atoi(word) // the kernel prints numbers
		pids = append(pids, pid)
	}
	return pids, nil
}

// signalPostgres sends a signal to all processes of the PostgreSQL server. The postmaster gets the signal first,
// because a stopped or dead postmaster creates no more children.
func (n *node) signalPostgres(signal syscall.Signal) error {
	pids, err := n.postgres()
	for _, pid := range pids {
		if failure := syscall.Kill(pid, signal); failure != nil && !errors.Is(failure, syscall.ESRCH) {
			err = errors.Join(err, failure)
		}
	}
	return err
}

// signalManagers sends a signal to the Patroni and etcd processes of this node.
func (n *node) signalManagers(signal syscall.Signal) error {
	return errors.Join(n.patroni.Process.Signal(signal), n.etcd.Process.Signal(signal))
}

// api sends a request to the REST API of Patroni and returns the status and the beginning of the body.
func (n *node) api(ctx context.Context, method, path, body string) (status int, answer string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	return exchange(ctx, method, "http://"+n.clientAddress()+":8008"+path, body, nil)
}

// These credentials are not secret. Only processes of the run can connect to the cluster's networks.
const (
	superuser = "postgres"
	password  = "run"
	appUser   = "lockbox"
	database  = "lockbox"
)

// patroniConfig returns the configuration of Patroni.
//
// Patroni uses version 2 of etcd's API. With version 3, Patroni 3.0.2 has a fault: after etcd has elected a new leader,
// Patroni's cache can remain stale permanently. No standby becomes synchronous then.
//
// All intervals are short, so that a run has time for many failovers. The option ttl must be at least loop_wait plus
// twice retry_timeout.
func (n *node) patroniConfig(s *setup, all []*node) ([]byte, error) {
	var text bytes.Buffer
	var hosts []string
	for _, each := range all {
		hosts = append(hosts, each.clusterAddress()+":2379")
	}
	err := patroniTemplate.Execute(&text, map[string]any{
		"Name":     n.name,
		"Address":  n.clusterAddress(),
		"Etcd":     hosts,
		"Strict":   s.strict,
		"Data":     n.data(),
		"Folder":   n.folder,
		"Bin":      s.bin,
		"Password": password,
	})
	return text.Bytes(), err
}

var patroniTemplate = template.Must(template.New("patroni").Parse(`scope: lockbox
name: {{.Name}}
restapi:
  listen: 0.0.0.0:8008
  connect_address: {{.Address}}:8008
etcd:
  hosts: [{{range $i, $host := .Etcd}}{{if $i}}, {{end}}"{{$host}}"{{end}}]
bootstrap:
  dcs:
    ttl: 8
    loop_wait: 1
    retry_timeout: 3
    maximum_lag_on_failover: 10485760
    primary_start_timeout: 0
    synchronous_mode: {{.Strict}}
    synchronous_mode_strict: {{.Strict}}
    postgresql:
      use_pg_rewind: true
      use_slots: true
      parameters:
        wal_level: replica
        hot_standby: "on"
        wal_log_hints: "on"
        max_connections: 200
        max_wal_senders: 10
        wal_keep_size: 256MB
        shared_buffers: 32MB
        fsync: "off"
        autovacuum: "on"
        wal_receiver_timeout: 6s
        wal_sender_timeout: 6s
        wal_retrieve_retry_interval: 500ms
  initdb:
  - encoding: UTF8
  - locale: C.UTF-8
  - data-checksums
  pg_hba:
  - local all all trust
  - host all all 0.0.0.0/0 scram-sha-256
  - host replication replicator 0.0.0.0/0 scram-sha-256
postgresql:
  listen: 0.0.0.0:5432
  connect_address: {{.Address}}:5432
  data_dir: {{.Data}}
  bin_dir: {{.Bin}}
  pgpass: {{.Folder}}/pgpass
  authentication:
    superuser: {username: postgres, password: {{.Password}}}
    replication: {username: replicator, password: {{.Password}}}
    rewind: {username: rewinder, password: {{.Password}}}
  parameters:
    unix_socket_directories: {{.Folder}}
`))
