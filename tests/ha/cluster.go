package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// nodeCount is the smallest number of nodes with which etcd survives the loss of one node.
const nodeCount = 3

// cluster is a group of three nodes, which elect a primary.
type cluster struct {
	setup *setup
	nodes []*node
	// repairs counts how often the method repair restarted a standby.
	repairs int
}

// startCluster starts the nodes and waits until the cluster has a primary and two standbys.
func startCluster(ctx context.Context, s *setup, network *network) (*cluster, error) {
	c := &cluster{setup: s}
	for i, space := range network.nodes {
		name := fmt.Sprintf("node%d", i+1)
		c.nodes = append(c.nodes, &node{namespace: space, name: name, folder: filepath.Join(s.folder, name)})
	}
	for _, each := range c.nodes {
		if err := each.start(s, c.nodes); err != nil {
			return nil, fmt.Errorf("start %s: %w", each.name, err)
		}
	}
	if err := c.awaitHealthy(ctx, 90*time.Second); err != nil {
		return nil, err
	}
	return c, c.createDatabase(ctx)
}

// createDatabase creates the role and the database for Lockbox. It also creates the table for the probe.
func (c *cluster) createDatabase(ctx context.Context) error {
	primary, err := c.primary(ctx)
	if err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, primary.url("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, statement := range []string{
		"CREATE ROLE " + appUser + " LOGIN PASSWORD '" + password + "'",
		"CREATE DATABASE " + database + " OWNER " + appUser,
		"CREATE TABLE probe (id int PRIMARY KEY, n bigint NOT NULL)",
		"INSERT INTO probe VALUES (1, 0)",
	} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return c.awaitDatabase(ctx)
}

// awaitDatabase waits until all standbys have the database. A client could otherwise connect to a standby that does not
// have the database yet. The PostgreSQL driver would then return an error instead of trying the next host.
func (c *cluster) awaitDatabase(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for _, each := range c.nodes {
		for {
			conn, err := pgx.Connect(ctx, each.url(database))
			if err == nil {
				_ = conn.Close(ctx) // the connection was not used
				break
			}
			if sleep(ctx, 50*time.Millisecond) != nil {
				return fmt.Errorf("node %s cannot open the database: %w", each.name, err)
			}
		}
	}
	return nil
}

// version returns the version of PostgreSQL.
func (c *cluster) version(ctx context.Context) (version string, err error) {
	primary, err := c.primary(ctx)
	if err != nil {
		return "", err
	}
	conn, err := pgx.Connect(ctx, primary.url("postgres"))
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(ctx) }()
	err = conn.QueryRow(ctx, "SHOW server_version").Scan(&version)
	return version, err
}

// multiHostURL returns a database URL that lists all nodes.
func (c *cluster) multiHostURL() string {
	var hosts []string
	for _, each := range c.nodes {
		hosts = append(hosts, each.clientAddress()+":5432")
	}
	return fmt.Sprintf("postgres://%s:%s@%s/%s?sslmode=disable&target_session_attrs=read-write", appUser, password,
		strings.Join(hosts, ","), database)
}

// member is the state of a node in the answer of Patroni's API.
type member struct {
	Name     string `json:"name"`
	Role     string `json:"role"`
	State    string `json:"state"`
	Timeline int    `json:"timeline"`
}

// status is the state of the cluster.
type status struct{ primary, sync, async *node }

// members requests the list of members from one node after the other, until a node answers.
func (c *cluster) members(ctx context.Context) ([]member, error) {
	var all error
	for _, each := range c.nodes {
		asking, cancel := context.WithTimeout(ctx, 2*time.Second)
		_, body, err := exchange(asking, "GET", "http://"+each.clientAddress()+":8008/cluster", "", nil)
		cancel()
		var answer struct {
			Members []member `json:"members"`
		}
		if err == nil {
			err = json.Unmarshal([]byte(body), &answer)
		}
		if err == nil && len(answer.Members) > 0 {
			return answer.Members, nil
		}
		all = errors.Join(all, err)
	}
	return nil, errors.Join(errors.New("no node answers"), all)
}

// status returns the primary and the standbys. A field is nil if no running node has that role.
func (c *cluster) status(ctx context.Context) (status, error) {
	members, err := c.members(ctx)
	var s status
	for _, m := range members {
		n := c.named(m.Name)
		switch {
		case m.Role == "leader" && m.State == "running":
			s.primary = n
		case m.Role == "sync_standby" && (m.State == "running" || m.State == "streaming"):
			s.sync = n
		case m.Role == "replica" && (m.State == "running" || m.State == "streaming"):
			s.async = n
		}
	}
	return s, err
}

// primary returns the node that holds the lease.
func (c *cluster) primary(ctx context.Context) (*node, error) {
	s, err := c.status(ctx)
	if err == nil && s.primary == nil {
		err = errors.New("the cluster has no primary")
	}
	return s.primary, err
}

// awaitHealthy waits until the cluster has a primary and both standbys stream changes from the primary. In strict mode,
// one of the standbys must be synchronous.
func (c *cluster) awaitHealthy(ctx context.Context, limit time.Duration) error {
	deadline := time.Now().Add(limit)
	repairAt := time.Now().Add(repairAfter)
	var last error
	for time.Now().Before(deadline) {
		if last = c.healthy(ctx); last == nil {
			return nil
		}
		if time.Now().After(repairAt) {
			c.repair(ctx)
			repairAt = time.Now().Add(repairAfter)
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("the cluster did not become healthy within %s: %w", limit, last)
}

// repairAfter is the time after which a standby is considered stuck. Rewinding and starting a standby takes a few
// seconds.
const repairAfter = 25 * time.Second

// repair kills each standby that does not stream, so that Patroni restarts it. An operator would also restart such a
// standby. Patroni 3.0.2 can leave a standby without streaming if it started while the cluster had no primary.
func (c *cluster) repair(ctx context.Context) {
	members, err := c.members(ctx)
	if err != nil {
		return // no node answers yet
	}
	for _, m := range members {
		n := c.named(m.Name)
		if n == nil || m.Role == "leader" || c.streams(ctx, n) {
			continue
		}
		c.repairs++
		_ = n.signalPostgres(syscall.SIGKILL) // the server may have ended already
	}
}

// streams reports whether a standby receives changes.
func (c *cluster) streams(ctx context.Context, n *node) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, n.url("postgres"))
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close(ctx) }()
	streams := false
	err = conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming')`).
		Scan(&streams)
	return err == nil && streams
}

// named returns the node with the given name, or nil.
func (c *cluster) named(name string) *node {
	for _, each := range c.nodes {
		if each.name == name {
			return each
		}
	}
	return nil
}

func (c *cluster) healthy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	s, err := c.status(ctx)
	switch {
	case err != nil:
		return err
	case s.primary == nil:
		return errors.New("no primary")
	}
	conn, err := pgx.Connect(ctx, s.primary.url("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	var streaming, synchronous int
	err = conn.QueryRow(ctx, `SELECT count(*), count(*) FILTER (WHERE sync_state IN ('sync', 'quorum'))
		FROM pg_stat_replication WHERE state = 'streaming' AND NOT pg_is_in_recovery()`).Scan(&streaming, &synchronous)
	if err != nil {
		return err
	}
	if streaming < nodeCount-1 || c.setup.strict && (synchronous == 0 || s.sync == nil) {
		return fmt.Errorf("%d standbys stream, %d of them synchronously", streaming, synchronous)
	}
	return nil
}

// sleep waits for the given duration. If the context ends first, sleep returns the context's error.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
