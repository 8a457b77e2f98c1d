//go:build unix

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
	"github.com/lockbox-go/lockbox/adapters/sealing"
	"github.com/lockbox-go/lockbox/domain"
)

// `lockbox dev` listens on the first free port in this range.
const (
	firstDevPort = 5000
	lastDevPort  = 5099
)

// Dev is a server for evaluation. One folder contains its database and its secret.
type Dev struct {
	*App
	database *localpg.Server
	// URL is the address at which clients reach the server after it has started.
	URL string
	// InitToken is the token that POST /init requires. It comes from LOCKBOX_INIT_TOKEN or, by default, from the file
	// init-token in the folder.
	InitToken string
}

// NewDev starts a private PostgreSQL whose files are in dir. It creates a secret in dir if there is none yet. The
// server listens on loopback, on port 5000 or the next free port. All other settings come from config. The caller must
// call Run and then Close.
func NewDev(ctx context.Context, config Config, log *slog.Logger, dir string) (*Dev, error) {
	// If this program runs as root, PostgreSQL runs as another user. With mode 0711, that user can reach the database
	// inside the folder. The files with secrets have stricter permissions.
	if err := os.MkdirAll(dir, 0o711); err != nil { //nolint:gosec // see above
		return nil, err
	}
	if err := checkOwn(dir); err != nil {
		return nil, err
	}
	database, err := localpg.Start(ctx, localpg.Config{Dir: filepath.Join(dir, "postgres"), Durable: true})
	if err != nil {
		return nil, err
	}
	if shared := database.SharedAccount(); shared != "" {
		log.Warn("PostgreSQL runs as a user whose other programs can read the database files; "+
			"to prevent this, create the user postgres",
			slog.String("user", shared))
	}
	// The database is now running, so an error must stop it.
	dev := &Dev{database: database}
	if err := dev.prepare(ctx, config, log, dir); err != nil {
		_ = dev.Close()
		return nil, err
	}
	return dev, nil
}

// prepare creates the database, the secret and the init token if they are missing. It then creates the server.
func (d *Dev) prepare(ctx context.Context, config Config, log *slog.Logger, dir string) error {
	secretPath := filepath.Join(dir, "secret-key")
	if err := d.database.EnsureDatabase(ctx, "lockbox"); err != nil {
		return err
	}
	config.DatabaseURL = domain.NewSecret(d.database.URL("lockbox"))
	if err := createSecret(ctx, config, secretPath); err != nil {
		return fmt.Errorf("%w; alternatively, remove the folder %s to start with an empty database", err,
			d.database.Dir())
	}
	text, err := os.ReadFile(secretPath) //nolint:gosec // in the folder that the operator names
	if err != nil {
		return err
	}
	if config.SecretKey, err = sealing.ParseSecret(strings.TrimSpace(string(text))); err != nil {
		return fmt.Errorf("%s: %w", secretPath, err)
	}
	// Every program and every web page on this machine can send POST /init. The token protects against such requests,
	// because only the user who runs `lockbox dev` can read the file that contains the token.
	if len(config.InitToken.Bytes()) == 0 {
		token, err := keepFile(filepath.Join(dir, "init-token"), randomText)
		if err != nil {
			return err
		}
		config.InitToken = domain.NewSecret(token)
	}
	d.InitToken = string(config.InitToken.Bytes())
	return d.configure(config, log)
}

// configure creates the server and a listener on a free port.
func (d *Dev) configure(config Config, log *slog.Logger) error {
	// Listen before the server starts: the URL is then known, and no other program can take the port.
	listener, err := freePort()
	if err != nil {
		return err
	}
	if d.App, err = New(config, log); err != nil {
		_ = listener.Close()
		return err
	}
	d.Listener, d.LoopbackOnly = listener, true
	d.URL = config.scheme() + "://" + listener.Addr().String()
	return nil
}

// scheme returns the scheme of the server's URLs.
func (c Config) scheme() string {
	if c.derived.certificate != nil {
		return "https"
	}
	return "http"
}

// DataDir returns the folder of the database, which may differ from the requested folder; see localpg.Config.
func (d *Dev) DataDir() string { return d.database.Dir() }

// checkOwn returns an error if dir is not a folder of the current user, or if other users can write to it. A user who
// can write to the folder could replace the secret.
func checkOwn(dir string) error {
	// Another user could have created a symbolic link here. Lstat does not follow it.
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	owner, known := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || info.Mode().Perm()&0o022 != 0 || known && int(owner.Uid) != os.Geteuid() {
		return fmt.Errorf("%s must be a folder that you own and that no other user can write to: "+
			"remove it, or name another folder with --dir", dir)
	}
	return nil
}

// Close stops the database. Call it after Run has returned.
func (d *Dev) Close() error { return d.database.Stop() }

// freePort listens on the first free port for `lockbox dev`.
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
