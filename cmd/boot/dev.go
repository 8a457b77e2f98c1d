package boot

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/lockbox-go/lockbox/adapters/localpg"
	"github.com/lockbox-go/lockbox/domain"
)

const (
	firstDevPort = 5000
	lastDevPort  = 5099
)

// Dev is the service with a database and a secret of its own, kept in a folder.
type Dev struct {
	*App
	database *localpg.Server
	// URL is where the service will listen.
	URL string
}

// NewDev starts a private PostgreSQL in dir, makes a secret there if there is none, and takes port 5000 of this machine's
// loopback or the next free one. The other settings come from config. The caller calls Close.
func NewDev(ctx context.Context, config Config, log *slog.Logger, dir string) (*Dev, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := checkOwn(dir); err != nil {
		return nil, err
	}
	secret, err := SecretFile(filepath.Join(dir, "secret-key"))
	if err != nil {
		return nil, fmt.Errorf("make a secret: %w", err)
	}
	database, err := localpg.Start(ctx, localpg.Config{Dir: filepath.Join(dir, "postgres"), Durable: true})
	if err != nil {
		return nil, err
	}
	dev := &Dev{database: database}
	if err := dev.configure(ctx, config, log, secret); err != nil {
		_ = dev.Close()
		return nil, err
	}
	return dev, nil
}

func (d *Dev) configure(ctx context.Context, config Config, log *slog.Logger, secret string) error {
	if err := d.database.EnsureDatabase(ctx, "lockbox"); err != nil {
		return err
	}
	config.DatabaseURL, config.SecretKey = domain.NewSecret(d.database.URL("lockbox")), domain.NewSecret(secret)
	listener, err := freePort()
	if err != nil {
		return err
	}
	if d.App, err = New(config, log); err != nil {
		_ = listener.Close()
		return err
	}
	d.Listener, d.URL = listener, "http://"+listener.Addr().String()
	return nil
}

// checkOwn refuses a folder that somebody else made or may write to: a secret that others can know is none.
func checkOwn(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	owner, known := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || info.Mode().Perm()&0o022 != 0 || known && int(owner.Uid) != os.Geteuid() {
		return fmt.Errorf("%s must be a folder of yours that nobody else may write to: remove it, or name another with --dir", dir)
	}
	return nil
}

// Close stops the database; call it after Run.
func (d *Dev) Close() error { return d.database.Stop() }

func freePort() (net.Listener, error) {
	var err error
	for port := firstDevPort; port <= lastDevPort; port++ {
		var listener net.Listener
		if listener, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			return listener, nil
		}
	}
	return nil, fmt.Errorf("no port from %d to %d is free: %w", firstDevPort, lastDevPort, err)
}
