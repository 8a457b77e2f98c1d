package docker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/go-connections/sockets"
	"github.com/moby/moby/client"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

const (
	// answerTimeout is the time limit for calls that the engine answers immediately. It is shorter than five seconds,
	// the time limit of ports.DropletHost.List.
	answerTimeout = 4 * time.Second
	// stopTime is how long the engine waits for the programs of a droplet to end before it kills them.
	stopTime = 10 * time.Second
	// workTimeout is the time limit for slow calls, such as a stop, or a start on a busy host.
	workTimeout = stopTime + 5*time.Second
)

// Config has the address of the host, and the resources of each droplet.
type Config struct {
	// Address is unix:///path or tcp://host:port.
	Address string
	// TLS configures connections over tcp; nil means an unencrypted connection.
	TLS *tls.Config
	// Installation is the value of the label that marks the containers of this installation.
	Installation string
	// Prefix is the common prefix of the droplets' names.
	Prefix domain.DropletPrefix
	// Memory is the limit for a droplet's memory, in bytes. The content of /run counts as memory. Droplets get no swap.
	Memory int64
	// NanoCPUs limits processor time, in billionths of a core.
	NanoCPUs int64
	// LogBytes is the maximum total size of one droplet's log files, in bytes.
	LogBytes int64
}

// Host is a Docker engine. It implements ports.DropletHost and is safe for concurrent use.
type Host struct {
	config Config
	engine *client.Client
	// transport holds the connections of engine.
	transport *http.Transport
	// negotiated is a channel that is closed when the API version is known. negotiating is a channel that serves as a
	// lock: a goroutine acquires the lock with a send. A mutex is not suitable, because a waiting goroutine must stop
	// when its context ends.
	negotiated  chan struct{}
	negotiating chan struct{}
}

// New returns a host. The engine need not be reachable yet. The first call that reaches the engine negotiates the API
// version.
func New(config Config) (*Host, error) {
	transport := &http.Transport{
		TLSClientConfig:        config.TLS,
		TLSHandshakeTimeout:    answerTimeout,
		MaxIdleConns:           8,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: maxHeaders,
		DisableCompression:     true,
	}
	address, err := client.ParseHostURL(config.Address)
	if err == nil {
		err = sockets.ConfigureTransport(transport, address.Scheme, address.Host)
	}
	if err != nil {
		return nil, fmt.Errorf("reach the droplet host: %w", err)
	}
	// ConfigureTransport sets a proxy if the environment names one. Remove the proxy, because this connection gives
	// root access to the host.
	transport.Proxy = nil
	scheme := "http"
	if config.TLS != nil {
		scheme = "https"
	}
	// WithHost requires a client whose transport is an *http.Transport. It must come before WithHTTPClient, which sets
	// a client with a boundedTransport.
	engine, err := client.New(
		client.WithHost(config.Address),
		client.WithScheme(scheme),
		client.WithHTTPClient(&http.Client{
			Transport:     boundedTransport{transport},
			CheckRedirect: client.CheckRedirect,
		}))
	if err != nil {
		return nil, fmt.Errorf("reach the droplet host: %w", err)
	}
	return &Host{
		config:      config,
		engine:      engine,
		transport:   transport,
		negotiated:  make(chan struct{}),
		negotiating: make(chan struct{}, 1),
	}, nil
}

// negotiate agrees on the API version with the engine, once. The library could negotiate during the first request, but
// requests that wait for its lock ignore their contexts. If the engine did not answer, these requests would wait one
// after another, and exceed their deadlines.
func (h *Host) negotiate(ctx context.Context) error {
	select {
	case <-h.negotiated:
		return nil
	case h.negotiating <- struct{}{}:
		defer func() { <-h.negotiating }()
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-h.negotiated:
		return nil
	default:
	}
	if _, err := h.engine.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true}); err != nil {
		return err
	}
	close(h.negotiated)
	return nil
}

// Close closes idle connections.
func (h *Host) Close() error {
	h.transport.CloseIdleConnections()
	return h.engine.Close()
}

// Start starts a container; see ports.DropletHost.
func (h *Host) Start(ctx context.Context, id string) error {
	err := h.call(ctx, workTimeout, func(ctx context.Context) error {
		_, err := h.engine.ContainerStart(ctx, id, client.ContainerStartOptions{})
		return err
	})
	if err != nil && isPortConflict(err.Error()) {
		return domain.HostRefused(err.Error()).Because(ports.ErrPortTaken)
	}
	return err
}

// portConflict matches an engine's error message for a port that is in use. The message contains a published address
// and ends with one of two phrases. The first phrase comes from the engine, if another container uses the port. The
// second phrase comes from the kernel, if any other program uses the port.
var portConflict = regexp.MustCompile(`:[0-9]+\b.*(port is already allocated|address already in use)\.?$`)

// isPortConflict reports whether the engine's error message means that a port is in use.
func isPortConflict(reason string) bool { return portConflict.MatchString(strings.TrimSpace(reason)) }

// Stop stops a container; see ports.DropletHost.
func (h *Host) Stop(ctx context.Context, id string) error {
	return h.call(ctx, workTimeout, func(ctx context.Context) error {
		_, err := h.engine.ContainerStop(ctx, id, client.ContainerStopOptions{Timeout: stopSeconds()})
		return err
	})
}

// Restart stops and starts a container; see ports.DropletHost.
func (h *Host) Restart(ctx context.Context, id string) error {
	return h.call(ctx, workTimeout, func(ctx context.Context) error {
		_, err := h.engine.ContainerRestart(ctx, id, client.ContainerRestartOptions{Timeout: stopSeconds()})
		return err
	})
}

// stopSeconds returns the time between SIGTERM and SIGKILL, in seconds.
func stopSeconds() *int {
	seconds := int(stopTime / time.Second)
	return &seconds
}

// Remove removes a container and its volumes, even while the container runs; see ports.DropletHost.
func (h *Host) Remove(ctx context.Context, id string) error {
	err := h.call(ctx, workTimeout, func(ctx context.Context) error {
		_, err := h.engine.ContainerRemove(ctx, id, client.ContainerRemoveOptions{RemoveVolumes: true, Force: true})
		return err
	})
	// A conflict means that a removal is in progress.
	if errors.Is(err, errNotFound) || errors.Is(err, domain.Conflict) {
		return nil
	}
	return err
}

// errNotFound means that the engine does not have the object that a request names.
var errNotFound = errors.New("not found by the engine")

// call calls the engine with a time limit and translates its errors:
//
//   - A conflict becomes domain.Conflict.
//   - Any other error that the engine sends becomes a refusal with the engine's reason.
//   - A missing or unusable answer becomes ErrDropletHostUnavailable.
//
// If the caller cancelled ctx, call returns context.Canceled.
func (h *Host) call(ctx context.Context, timeout time.Duration, do func(ctx context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := h.negotiate(limited)
	if err == nil {
		err = do(limited)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case slices.ContainsFunc(unusable, func(each error) bool { return errors.Is(err, each) }):
		return unusableAnswer(err)
	case limited.Err() != nil:
		return domain.ErrDropletHostUnavailable.Because(err)
	case cerrdefs.IsConflict(err):
		return domain.Refuse(domain.Conflict, "droplet_host_conflict", err.Error())
	case cerrdefs.IsNotFound(err):
		return domain.HostRefused(err.Error()).Because(errNotFound)
	case answered(err):
		return domain.HostRefused(err.Error())
	default:
		return domain.ErrDropletHostUnavailable.Because(err)
	}
}

// unusableAnswer returns ErrDropletHostUnavailable with a message that names the reason why the answer is unusable. The
// usual message of ErrDropletHostUnavailable would be wrong, because it states that the host does not answer.
func unusableAnswer(err error) error {
	refusal := *domain.ErrDropletHostUnavailable
	for _, each := range unusable {
		if errors.Is(err, each) {
			refusal.Message = "the droplet host cannot be used, because " + each.Error() +
				"; check which program answers at the address of the host, then list the droplets"
		}
	}
	return refusal.Because(err)
}

// answered reports whether the engine itself sent the error. It returns false for a connection error, and for a status
// that the engine does not use but a proxy may send.
func answered(err error) bool {
	return slices.ContainsFunc([]func(error) bool{
		cerrdefs.IsInvalidArgument,
		cerrdefs.IsUnauthorized,
		cerrdefs.IsPermissionDenied,
		cerrdefs.IsNotModified,
		cerrdefs.IsInternal,
		cerrdefs.IsNotImplemented,
		cerrdefs.IsResourceExhausted,
		cerrdefs.IsFailedPrecondition,
	}, func(is func(error) bool) bool { return is(err) })
}
