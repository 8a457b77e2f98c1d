// Package boot puts the program together: settings, the adapters that they choose, the use cases over them. It is the
// only place that names concrete adapters. The program is a value, so that tests boot what ships.
package boot

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lockbox-go/lockbox/adapters/httpapi"
	"github.com/lockbox-go/lockbox/adapters/postgres"
	"github.com/lockbox-go/lockbox/domain/vault"
)

const (
	// drainTimeout is how long requests in flight get to end after SIGTERM.
	drainTimeout = 30 * time.Second
	// keyringRefresh is how often a server that nothing made to looks for new server keys.
	keyringRefresh = time.Minute
)

// App is the service.
type App struct {
	config Config
	log    *slog.Logger
	// Listener is what to serve on, instead of listening on Config.HTTPAddr; set it before Run.
	Listener net.Listener
	// PrintInitToken logs the token that POST /init needs, while there is no owner; set it before Run.
	PrintInitToken bool
	ready          chan struct{}
	addr           net.Addr
	hasOwner       bool
}

// New makes the service from settings that Config.Validate accepts, and returns its errors otherwise.
func New(config Config, log *slog.Logger) (*App, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	return &App{config: config, log: log, ready: make(chan struct{})}, nil
}

// Ready is closed when requests are answered.
func (a *App) Ready() <-chan struct{} { return a.ready }

// Addr returns where the service listens; only after Ready.
func (a *App) Addr() net.Addr { return a.addr }

// HasOwner reports whether there was an owner when the service started; only after Ready.
func (a *App) HasOwner() bool { return a.hasOwner }

// Run opens the database, brings its schema up to date, opens the keys with the secret and serves until ctx ends. Then
// it lets requests in flight end and returns nil. An error means that it could not start, or that serving failed.
func (a *App) Run(ctx context.Context) error {
	a.limitMemory()
	core, err := openCore(ctx, a.config, a.log, serving)
	if err != nil {
		return err
	}
	defer core.close()
	events := core.store.NewEventWriter()
	defer events.Close()
	api, err := a.api(core, events)
	if err != nil {
		return err
	}
	if err := a.announceInit(ctx, core); err != nil {
		return err
	}
	listener, err := a.listen()
	if err != nil {
		return err
	}
	var background sync.WaitGroup
	defer background.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	background.Go(func() { a.refreshKeys(ctx, core) })
	background.Go(func() { a.sweep(ctx, core.store) })
	a.addr = listener.Addr()
	a.log.Info("listening", slog.String("address", a.addr.String()), slog.String("version", Version()))
	close(a.ready)
	return a.serve(ctx, api, listener)
}

// announceInit says what a new installation waits for.
func (a *App) announceInit(ctx context.Context, core *core) error {
	owner, err := core.store.Read().System.Owner(ctx)
	a.hasOwner = !owner.IsZero()
	if err != nil || a.hasOwner {
		return err
	}
	const waiting = "this Lockbox has no owner yet: POST /init makes one"
	if token := a.config.InitToken.Bytes(); a.PrintInitToken && len(token) > 0 {
		a.log.Info(waiting+", with the header X-Init-Token", slog.String("init_token", string(token)))
		return nil
	}
	if len(a.config.InitToken.Bytes()) == 0 {
		a.log.Warn(waiting + ", and whoever comes first may; set LOCKBOX_INIT_TOKEN where others can reach it")
	}
	return nil
}

// api puts the use cases over what is open.
func (a *App) api(core *core, events *postgres.EventWriter) (*httpapi.API, error) {
	entrySealer, err := core.entrySealer()
	if err != nil {
		return nil, err
	}
	accounts, err := core.accounts(events)
	if err != nil {
		return nil, err
	}
	signer, err := core.signer()
	if err != nil {
		return nil, err
	}
	boxes := vault.New(vault.Config{
		Store:            core.store,
		Reader:           core.store,
		Writer:           core.store,
		Events:           events,
		Sealer:           entrySealer,
		Digests:          core.digests(),
		Clock:            core.clock,
		IDs:              core.ids,
		Throttle:         core.throttle(),
		MaxValueBytes:    a.config.MaxValueBytes,
		MaxEntriesPerBox: a.config.MaxEntriesPerBox,
		MaxUsersPerBox:   a.config.MaxUsersPerBox,
		MaxBoxesPerUser:  a.config.MaxBoxesPerUser,
		KeepVersions:     a.config.EntryVersions,
	})
	droplets, err := core.droplets(events, boxes)
	if err != nil {
		return nil, err
	}
	registry := prometheus.NewRegistry()
	registerMetrics(registry, core)
	return httpapi.New(httpapi.Config{
		Identity:       accounts,
		Vault:          boxes,
		Droplets:       droplets,
		Verify:         signer.Verify,
		CheckReady:     core.store.CheckWritable,
		Log:            a.log,
		Metrics:        registry,
		MaxBodyBytes:   a.config.MaxBodyBytes,
		TrustedProxies: a.config.TrustedProxies,
		CORSOrigins:    a.config.CORSOrigins,
	}), nil
}

func (a *App) listen() (net.Listener, error) {
	listener := a.Listener
	if listener == nil {
		var err error
		if listener, err = net.Listen("tcp", a.config.HTTPAddr); err != nil {
			return nil, fmt.Errorf("cannot listen on LOCKBOX_HTTP_ADDR=%s: %w", a.config.HTTPAddr, err)
		}
	}
	encrypted, err := a.config.tlsConfig()
	if err != nil {
		return nil, err
	}
	if encrypted != nil {
		return tls.NewListener(listener, encrypted), nil
	}
	if address, ok := listener.Addr().(*net.TCPAddr); ok && !address.IP.IsLoopback() {
		a.log.Warn("plain HTTP beyond this machine: encryption keys and tokens can be read on the way; set " +
			"LOCKBOX_TLS_CERT_FILE and LOCKBOX_TLS_KEY_FILE, or put a proxy with TLS in front")
	}
	return listener, nil
}

// serve answers requests until ctx ends, and then those in flight.
func (a *App) serve(ctx context.Context, api *httpapi.API, listener net.Listener) error {
	server := api.Server()
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	a.log.Info("stopping: requests in flight are answered first")
	api.Drain()
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := server.Shutdown(draining); err != nil {
		return fmt.Errorf("requests were cut off: %w", errors.Join(err, server.Close()))
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// refreshKeys makes a rekey known to a server that is asked for nothing new.
func (a *App) refreshKeys(ctx context.Context, core *core) {
	every(ctx, keyringRefresh, func() {
		if err := core.keyring.Reload(ctx); err != nil && ctx.Err() == nil {
			a.log.Warn("the server keys could not be read again; those in memory stay", slog.Any("error", err))
		}
	})
}

// every calls work again and again, at most once in a pause, until ctx ends.
func every(ctx context.Context, pause time.Duration, work func()) {
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			work()
		}
	}
}

// limitMemory tells the collector to work harder before the process gets big: derivations of 19 MiB each would
// otherwise be let pile up. GOMEMLIMIT wins.
func (a *App) limitMemory() {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	const others = 96 << 20
	atOnce := int64(max(1, runtime.GOMAXPROCS(0)/2))
	debug.SetMemoryLimit(others + atOnce*2*int64(a.config.KDFMemoryKiB)<<10)
}
