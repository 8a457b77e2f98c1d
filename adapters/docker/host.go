package docker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"

	"github.com/lockbox-go/lockbox/domain"
)

const (
	// answerPatience is how long an answer to something that takes no time is waited for.
	answerPatience = 4 * time.Second
	// stopTime is how long the programs of a droplet get to end before they are killed.
	stopTime = 10 * time.Second
	// workPatience bounds what may take its time: stopping, and starting on a host that has much to do.
	workPatience = stopTime + 5*time.Second
)

// Config is how to reach the host, and what its droplets are like.
type Config struct {
	// Address is unix:///path or tcp://host:port.
	Address string
	// TLS is for tcp; nil is plain.
	TLS *tls.Config
	// Installation is what the containers of this service are told from those of others by.
	Installation string
	Prefix       domain.DropletPrefix
	// Memory is the most that a droplet may take, in bytes, with what it writes to /run; swap is none.
	Memory int64
	// CPUs is how many cores it may use, in billionths.
	NanoCPUs int64
}

// Host is a Docker engine. It implements ports.DropletHost.
type Host struct {
	config Config
	engine *client.Client
	// agreed is closed once a version of the API is; whoever holds agreeing may agree on it.
	agreed   chan struct{}
	agreeing chan struct{}
}

// New returns the host of an address, which need not answer yet. The version of the API is agreed on with the first
// request that is answered.
func New(config Config) (*Host, error) {
	transport := &http.Transport{
		TLSClientConfig:     config.TLS,
		TLSHandshakeTimeout: answerPatience,
		MaxIdleConns:        8,
		IdleConnTimeout:     30 * time.Second,
	}
	engine, err := client.NewClientWithOpts(client.WithHTTPClient(&http.Client{Transport: transport,
		CheckRedirect: client.CheckRedirect}),
		client.WithHost(config.Address))
	if err != nil {
		return nil, fmt.Errorf("reach the droplet host: %w", err)
	}
	// The library asks the environment for a proxy, which is no way to somebody who is root.
	transport.Proxy = nil
	return &Host{
		config:   config,
		engine:   engine,
		agreed:   make(chan struct{}),
		agreeing: make(chan struct{}, 1),
	}, nil
}

// agree settles the version of the API with the engine, once. The library would do it with the first request, and writes
// what requests at the same moment read.
func (h *Host) agree(ctx context.Context) error {
	select {
	case <-h.agreed:
		return nil
	case h.agreeing <- struct{}{}:
		defer func() { <-h.agreeing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-h.agreed:
		return nil
	default:
	}
	answer, err := h.engine.Ping(ctx)
	if err != nil {
		return err
	}
	h.engine.NegotiateAPIVersionPing(answer)
	close(h.agreed)
	return nil
}

// Close ends idle connections.
func (h *Host) Close() error { return h.engine.Close() }

// Start starts a container; see ports.DropletHost.
func (h *Host) Start(ctx context.Context, id string) error {
	return h.ask(ctx, workPatience, func(ctx context.Context) error {
		return h.engine.ContainerStart(ctx, id, container.StartOptions{})
	})
}

// Stop stops a container; see ports.DropletHost.
func (h *Host) Stop(ctx context.Context, id string) error {
	return h.ask(ctx, workPatience, func(ctx context.Context) error {
		return h.engine.ContainerStop(ctx, id, stopOptions())
	})
}

// Restart stops and starts a container; see ports.DropletHost.
func (h *Host) Restart(ctx context.Context, id string) error {
	return h.ask(ctx, workPatience, func(ctx context.Context) error {
		return h.engine.ContainerRestart(ctx, id, stopOptions())
	})
}

func stopOptions() container.StopOptions {
	seconds := int(stopTime / time.Second)
	return container.StopOptions{Timeout: &seconds}
}

// Remove removes a container, running or not; see ports.DropletHost.
func (h *Host) Remove(ctx context.Context, id string) error {
	err := h.ask(ctx, workPatience, func(ctx context.Context) error {
		return h.engine.ContainerRemove(ctx, id, container.RemoveOptions{RemoveVolumes: true, Force: true})
	})
	if errors.Is(err, errGone) || errors.Is(err, domain.Conflict) { // or somebody removes it already
		return nil
	}
	return err
}

// errGone is the cause of a refusal when the engine has not got what it was asked about.
var errGone = errors.New("the engine has no such thing")

// ask calls the engine with a limit on the time, and says what its answer means: Conflict when it said so, a refusal with
// its reason for other answers, silence when there was none. A request that was given up by who made it says just that.
func (h *Host) ask(ctx context.Context, patience time.Duration, do func(ctx context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := h.agree(limited)
	if err == nil {
		err = do(limited)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case limited.Err() != nil:
		return domain.ErrDropletHostUnavailable.Because(err)
	case cerrdefs.IsConflict(err):
		return domain.Refuse(domain.Conflict, "droplet_host_conflict", err.Error())
	case cerrdefs.IsNotFound(err):
		return domain.HostRefused(err.Error()).Because(errGone)
	case answered(err):
		return domain.HostRefused(err.Error())
	default:
		return domain.ErrDropletHostUnavailable.Because(err)
	}
}

// answered reports whether the error is an answer of the engine.
func answered(err error) bool {
	for _, is := range []func(error) bool{cerrdefs.IsInvalidArgument, cerrdefs.IsUnauthorized,
		cerrdefs.IsPermissionDenied,
		cerrdefs.IsNotModified, cerrdefs.IsInternal, cerrdefs.IsNotImplemented, cerrdefs.IsResourceExhausted,
		cerrdefs.IsFailedPrecondition} {
		if is(err) {
			return true
		}
	}
	return false
}
