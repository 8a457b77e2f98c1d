package boot

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
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
	// Passed through by the user that PostgreSQL runs as where we are root; what is secret in it is closed by itself.
	if err := os.MkdirAll(dir, 0o711); err != nil { //nolint:gosec // as just said
		return nil, err
	}
	if err := checkOwn(dir); err != nil {
		return nil, err
	}
	database, err := localpg.Start(ctx, localpg.Config{Dir: filepath.Join(dir, "postgres"), Durable: true})
	if err != nil {
		return nil, err
	}
	dev := &Dev{database: database}
	if err := dev.prepare(ctx, config, log, filepath.Join(dir, "secret-key")); err != nil {
		_ = dev.Close()
		return nil, err
	}
	return dev, nil
}

// prepare makes the database and the secret where they are missing, and the service over them.
func (d *Dev) prepare(ctx context.Context, config Config, log *slog.Logger, secretPath string) error {
	if err := d.database.EnsureDatabase(ctx, "lockbox"); err != nil {
		return err
	}
	config.DatabaseURL = domain.NewSecret(d.database.URL("lockbox"))
	if err := makeSecret(ctx, config, secretPath); err != nil {
		return fmt.Errorf("%w; or remove %s to begin anew", err, d.database.Dir())
	}
	secret, err := os.ReadFile(secretPath) //nolint:gosec // in the folder that the operator names
	if err != nil {
		return err
	}
	return d.configure(config, log, strings.TrimSpace(string(secret)))
}

func (d *Dev) configure(config Config, log *slog.Logger, secret string) error {
	config.SecretKey = domain.NewSecret(secret)
	listener, err := freePort()
	if err != nil {
		return err
	}
	if d.App, err = New(config, log); err != nil {
		_ = listener.Close()
		return err
	}
	scheme := "http"
	if config.TLSCert != "" {
		scheme = "https"
	}
	d.Listener, d.URL = listener, scheme+"://"+listener.Addr().String()
	return nil
}

// DataDir is where the database lies, which may be elsewhere than asked for; see localpg.Config.
func (d *Dev) DataDir() string { return d.database.Dir() }

// checkOwn refuses a folder that somebody else made or may write to: a secret that others can know is none.
func checkOwn(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	owner, known := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || info.Mode().Perm()&0o022 != 0 || known && int(owner.Uid) != os.Geteuid() {
		return fmt.Errorf("%s must be a folder of yours that nobody else may write to: remove it, or name another "+
			"with --dir", dir)
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
