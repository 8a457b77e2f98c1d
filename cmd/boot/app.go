// Package boot assembles the program: the settings, the adapters that they select, and the use cases on top of them. No
// other package of the program chooses adapters. The server is a value of type App, so that tests run the same code as
// the released program.
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
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lockbox-go/lockbox/adapters/httpapi"
	"github.com/lockbox-go/lockbox/adapters/postgres"
	"github.com/lockbox-go/lockbox/domain/gate"
	"github.com/lockbox-go/lockbox/domain/vault"
)

const (
	// drainTimeout is how long requests in flight may take after SIGTERM. It equals the default grace period of
	// Kubernetes.
	drainTimeout = 30 * time.Second
	// After the last request, a shutdown waits for SQL statements that are still running, such as those that write the
	// audit log. closeTimeout limits this wait, because the database may not answer.
	closeTimeout = 5 * time.Second
	// keyringRefresh is how often a server reads the server keys again. If the database refuses a write because
	// the write used a replaced server key, the server reads the keys immediately. Without such a refusal, a server
	// notices a replaced key only at the next regular read.
	keyringRefresh = time.Minute
	// refusalFlush is how often a server writes summaries of repeated refusals to the audit log. Each summary covers
	// the refusals of one caller within a minute.
	refusalFlush = 10 * time.Second
)

// App is the server.
type App struct {
	config Config
	log    *slog.Logger
	// Listener accepts the connections. If Listener is nil, Run opens a listener on Config.HTTPAddr. Set it before Run.
	Listener net.Listener
	// If LoopbackOnly is true, the server refuses requests whose Host or Origin header names another machine. Set it
	// before Run.
	LoopbackOnly bool
	// If PrintInitToken is set and there is no owner yet, Run logs the token that POST /init requires. Set
	// PrintInitToken before Run.
	PrintInitToken bool
	// Reload receives signals. At each signal from this channel, the server reads its certificate files again. Set
	// Reload before Run.
	Reload <-chan os.Signal

	ready chan struct{}
	// addr, metricsAddr and hasOwner are written before ready is closed, and are only read afterwards.
	addr        net.Addr
	metricsAddr net.Addr
	hasOwner    bool
}

// New returns the server, or the error of Config.Validate.
func New(config Config, log *slog.Logger) (*App, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	return &App{config: config, log: log, ready: make(chan struct{})}, nil
}

// Ready returns a channel that is closed when the server accepts requests.
func (a *App) Ready() <-chan struct{} { return a.ready }

// Addr returns the address that the server listens on. Call it only after Ready.
func (a *App) Addr() net.Addr { return a.addr }

// HasOwner reports whether there was an owner when the server started. Call it only after Ready.
func (a *App) HasOwner() bool { return a.hasOwner }

// Run opens the database, upgrades its schema, opens the server keys and serves until ctx ends. Then /readyz begins to
// return 503. Run still serves for Config.DrainDelay, finishes the requests in flight and returns nil. It returns an
// error if the server cannot start, if serving fails, or if requests take longer than drainTimeout. Run may be called
// once.
func (a *App) Run(ctx context.Context) error {
	a.limitMemory()
	traces, err := a.openTraces(ctx)
	if err != nil {
		return err
	}
	defer traces.Close() // after all spans have ended
	core, err := openCore(ctx, a.config, a.log, serving, traces.Tracer())
	if err != nil {
		return err
	}
	defer core.close()
	closeStream, err := core.openStream(ctx, a.log)
	if err != nil {
		return err
	}
	defer closeStream()
	core.sweeps = newSweepMetrics(a.config)
	events := core.store.NewEventWriter()
	defer events.Close() // before the core closes the database
	defer a.flushAllRefusals(core.gate(events))
	api, err := a.api(ctx, core, events)
	if err != nil {
		return err
	}
	a.warnOfLoggedParameters(ctx, core)
	if err := a.warnOfPlainRecoveryCodes(ctx, core); err != nil {
		return err
	}
	// In a new installation, requests fail until there is an owner. Before the first request can arrive, log how to
	// create the owner.
	if err := a.announceInit(ctx, core); err != nil {
		return err
	}
	// Listen only now that the server can answer, because a load balancer sends requests as soon as it can connect.
	listener, err := a.listen()
	if err != nil {
		return err
	}
	stopMetrics, err := a.serveMetrics(api)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer stopMetrics()
	defer a.startBackground(ctx, core, events)()
	// The deferred calls above write to the database. This call runs before them and limits their total time.
	defer core.store.CloseWithin(closeTimeout)
	a.addr = listener.Addr()
	a.log.Info("listening", slog.String("address", a.addr.String()), slog.String("version", Version()))
	close(a.ready)
	return a.serve(ctx, api, listener)
}

// startBackground starts the work that does not belong to a request. This work continues while the server drains,
// because a draining server still answers requests. The returned function stop ends the work and waits until it has
// ended. Call stop before the database is closed.
func (a *App) startBackground(ctx context.Context, core *core, events *postgres.EventWriter) (stop func()) {
	var background sync.WaitGroup
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	background.Go(func() { a.refreshKeys(ctx, core) })
	background.Go(func() { a.sweep(ctx, core) })
	background.Go(func() { a.probe(ctx, core.store) })
	background.Go(func() { a.releaseMemory(ctx) })
	background.Go(func() { a.flushRefusals(ctx, core.gate(events)) })
	background.Go(func() { a.watchCertificate(ctx) })
	if core.stream != nil {
		background.Go(func() { core.stream.Run(ctx) })
	}
	return func() {
		cancel()
		background.Wait()
	}
}

// warnOfLoggedParameters logs a warning if PostgreSQL writes the parameters of statements to its log. A failed query is
// ignored here, because the next statement reports the failure.
func (a *App) warnOfLoggedParameters(ctx context.Context, core *core) {
	if logs, err := core.store.LogsParameters(ctx); err == nil && logs {
		a.log.Warn(
			"PostgreSQL logs the parameters of statements, which contain the names of users, boxes and entries: " +
				"set log_parameter_max_length and log_parameter_max_length_on_error to 0")
	}
}

// warnOfPlainRecoveryCodes logs a warning if recovery codes of an older release are stored. The server refuses these
// codes. It does not convert them, because it cannot distinguish them from rows that an attacker added to the database.
func (a *App) warnOfPlainRecoveryCodes(ctx context.Context, core *core) error {
	users, err := core.serverKeys(nil, 0).PlainRecoveryCodes(ctx)
	if err != nil || len(users) == 0 {
		return err
	}
	codes := 0
	for _, user := range users {
		codes += user.Codes
	}
	a.log.Warn("recovery codes of an older release are refused: run lockbox secret recovery-codes",
		slog.Int("codes", codes), slog.Int("users", len(users)))
	return nil
}

// If there is no owner yet, announceInit logs how to create one. If PrintInitToken is set, the log contains the token
// that POST /init requires. If POST /init requires no token, announceInit logs a warning, because any client could
// become the owner.
func (a *App) announceInit(ctx context.Context, core *core) error {
	owner, err := core.store.Read().System.Owner(ctx)
	a.hasOwner = !owner.IsZero()
	if err != nil || a.hasOwner {
		return err
	}
	const waiting = "this Lockbox has no owner yet: create one with POST /init"
	if token := a.config.InitToken.Bytes(); a.PrintInitToken && len(token) > 0 {
		a.log.Info(waiting+" and the header X-Init-Token", slog.String("init_token", string(token)))
		return nil
	}
	if len(a.config.InitToken.Bytes()) == 0 {
		a.log.Warn(waiting + "; the first client to send this request becomes the owner, " +
			"so set LOCKBOX_INIT_TOKEN if others can reach the server")
	}
	return nil
}

// api creates the use cases and the HTTP API that calls them. The argument core must be open. api returns an error if
// an adapter refuses a setting or if a query fails.
func (a *App) api(ctx context.Context, core *core, events *postgres.EventWriter) (*httpapi.API, error) {
	entrySealer, err := core.entrySealer()
	if err != nil {
		return nil, err
	}
	accounts, err := core.accounts(events)
	if err != nil {
		return nil, err
	}
	if err := accounts.LearnPasswords(ctx); err != nil {
		return nil, err
	}
	signer, err := core.signer()
	if err != nil {
		return nil, err
	}
	boxes := vault.New(vault.Config{
		Gate:             core.gate(events),
		Store:            core.store,
		Reader:           core.store,
		Writer:           core.store,
		Sealer:           entrySealer,
		Clock:            core.clock,
		IDs:              core.ids,
		Installation:     core.installation,
		MaxValueBytes:    a.config.MaxValueBytes,
		MaxEntriesPerBox: a.config.MaxEntriesPerBox,
		MaxBytesPerBox:   a.config.MaxBytesPerBox,
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
	registerBackupMetrics(registry, a.config)
	if c := a.config.derived.certificate; c != nil {
		c.register(registry)
	}
	return httpapi.New(httpapi.Config{
		Identity:        accounts,
		Vault:           boxes,
		Droplets:        droplets,
		Verify:          signer.Verify,
		CheckReady:      core.store.CheckWritable,
		Log:             a.log,
		Metrics:         registry,
		SeparateMetrics: !a.config.MetricsAddr.IsZero(),
		Bounds:          a.config.bounds(),
		MaxBodyBytes:    a.config.MaxBodyBytes,
		TrustedProxies:  a.config.TrustedProxies,
		CORSOrigins:     a.config.CORSOrigins,
		LoopbackOnly:    a.LoopbackOnly,
		OpenInit:        len(a.config.InitToken.Bytes()) == 0,
		Tracer:          core.tracer,
	}), nil
}

// listen returns the listener of the server, without TLS. If App.Listener is set, listen returns App.Listener, whatever
// its address. It logs a warning if clients on other machines would use plain HTTP.
func (a *App) listen() (net.Listener, error) {
	listener := a.Listener
	if listener == nil {
		var err error
		if listener, err = net.Listen("tcp", a.config.HTTPAddr.String()); err != nil {
			return nil, fmt.Errorf("cannot listen on LOCKBOX_HTTP_ADDR=%s: %w", a.config.HTTPAddr, err)
		}
	}
	if a.config.derived.certificate != nil {
		return listener, nil
	}
	if address, ok := listener.Addr().(*net.TCPAddr); ok && !address.IP.IsLoopback() {
		a.log.Warn("serving plain HTTP to other machines: tokens and encryption keys can be read on the network; " +
			"set LOCKBOX_TLS_CERT_FILE and LOCKBOX_TLS_KEY_FILE, or use a TLS proxy in front of Lockbox")
	}
	return listener, nil
}

// serve answers requests until ctx ends. Then /readyz begins to return 503, but serve still accepts connections during
// the drain delay. Finally, serve closes the listener and finishes the requests in flight.
func (a *App) serve(ctx context.Context, api *httpapi.API, listener net.Listener) error {
	server := api.Server()
	var secured *tls.Config
	if c := a.config.derived.certificate; c != nil {
		secured = c.tlsConfig()
	}
	failed := make(chan error, 1) // buffered, so that Serve can return when nothing receives
	go func() { failed <- server.Serve(api.Listener(listener, secured)) }()
	select {
	case err := <-failed: // the listener failed, so there are no requests to wait for
		return err
	case <-ctx.Done():
	}
	// First make /readyz return 503. Clients that have not noticed the shutdown can still connect.
	a.log.Info("stopping: finishing requests in flight", slog.Duration("drain_delay", a.config.DrainDelay))
	api.Drain()
	if a.config.DrainDelay > 0 {
		select {
		case err := <-failed:
			return err
		case <-time.After(a.config.DrainDelay):
		}
	}
	// Shutdown gets its own deadline, because ctx has ended.
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := server.Shutdown(draining); err != nil {
		return fmt.Errorf("the shutdown interrupted requests in flight: %w", errors.Join(err, server.Close()))
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// refreshKeys reads the server keys again at an interval. In this way, every server starts to use the new keys after a
// rekey.
func (a *App) refreshKeys(ctx context.Context, core *core) {
	every(ctx, keyringRefresh, func() {
		if err := core.keyring.Reload(ctx); err != nil && ctx.Err() == nil {
			a.log.Warn("reloading the server keys failed; the keys in memory stay in use", slog.Any("error", err))
		}
	})
}

// probe checks regularly whether the database accepts writes. The store remembers the last outcome for /readyz and for
// a metric, and logs each change of the outcome.
func (a *App) probe(ctx context.Context, store *postgres.Store) {
	_ = store.Probe(ctx)
	every(ctx, postgres.ProbeInterval, func() { _ = store.Probe(ctx) })
}

// flushRefusals writes the audit events of repeated refusals at an interval.
func (a *App) flushRefusals(ctx context.Context, entrance *gate.Gate) {
	every(ctx, refusalFlush, func() {
		if err := entrance.FlushRefusals(ctx); err != nil && ctx.Err() == nil {
			a.log.Warn("writing the audit events of repeated refusals failed; the server tries again later",
				slog.Any("error", err))
		}
	})
}

// flushAllRefusals writes the remaining audit events of repeated refusals when the server stops.
func (a *App) flushAllRefusals(entrance *gate.Gate) {
	ctx, cancel := context.WithTimeout(context.Background(), postgres.StatementTimeout)
	defer cancel()
	if err := entrance.FlushAllRefusals(ctx); err != nil {
		a.log.Error("the server stopped before it could write all audit events of repeated refusals",
			slog.Any("error", err))
	}
}

// every calls the function work at an interval until ctx ends. It skips ticks that occur during a call.
func every(ctx context.Context, interval time.Duration, work func()) {
	ticker := time.NewTicker(interval)
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
