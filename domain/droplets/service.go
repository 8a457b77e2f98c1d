// Package droplets contains the use cases of droplets: containers on a Docker host that behave like small servers. A
// box can store the private SSH keys of droplets.
//
// Only the host knows which droplets exist, so every request first asks the host for a list. The database records only
// facts that the host cannot know: which entry contains a private key, and which builds and removals are incomplete.
// Every request that lists droplets also finishes interrupted builds and removals; see cleanup.go.
package droplets

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/gate"
	"github.com/lockbox-go/lockbox/ports"
)

const (
	// lease is the time for which one server has the sole right to build or remove a droplet. It is longer than
	// buildTimeout and removeTimeout together, so the server always finishes or gives up before its lease expires.
	lease = 2 * time.Minute
	// buildTimeout limits the build of a droplet.
	buildTimeout = 30 * time.Second
	// tryTimeout limits the time in which a build tries numbers. If the name or a port of a number is taken, the build
	// tries the next number. The rest of buildTimeout is enough to finish the other steps of the build, or to return an
	// error that lists the numbers.
	tryTimeout = 20 * time.Second
	// removeTimeout limits a removal or a rollback.
	removeTimeout = 20 * time.Second
	// listTimeout limits the time for the cleanup and the list of droplets together. With this limit, Lockbox answers a
	// request within five seconds even if the host does not answer.
	listTimeout = 4300 * time.Millisecond
	// cleanupTimeout is the part of listTimeout that the cleanup may take. If a container cannot be removed, the
	// remaining time is enough to list the droplets.
	cleanupTimeout = 2 * time.Second
	// auditTimeout limits the commit of an audit event after the request was cancelled.
	auditTimeout = 5 * time.Second
)

// Config contains the dependencies of the use cases. All fields are required, except Host. Host is nil if no droplet
// host is configured.
type Config struct {
	Gate      *gate.Gate
	Store     ports.Store
	Host      ports.DropletHost
	Vault     ports.DropletVault
	NewSSHKey ports.NewSSHKeyFunc
	Clock     ports.Clock
	IDs       ports.IDs

	Prefix domain.DropletPrefix
	// Images lists the images from which a droplet may be created. The first image is the default.
	Images []string
}

// Service implements the use cases. It is safe for concurrent use.
type Service struct{ config Config }

// New returns a Service.
func New(config Config) *Service { return &Service{config} }

// manager authenticates the requester and returns the caller, who must be in the group "manager" or a higher one. If
// the caller is in a lower group, manager passes the refusal to [gate.Gate.Refused] for the audit log. The event
// contains the name argument only if it is a valid droplet name, because any other text could be a secret that was
// pasted by mistake. Errors: ErrGroupTooLow; ErrNoDropletHost.
func (s *Service) manager(ctx context.Context, by domain.Requester, action domain.Action, name string) (domain.Caller,
	error) {
	caller, err := s.config.Gate.InGroup(ctx, s.config.Store.Read(), by, domain.GroupManager)
	if err != nil {
		if _, possible := s.config.Prefix.Parse(name); !possible {
			name = ""
		}
		return caller, s.config.Gate.Refused(ctx, s.config.Gate.Event(action, by, caller).To(name), err)
	}
	if s.config.Host == nil {
		return caller, domain.ErrNoDropletHost
	}
	return caller, nil
}

// audit commits the event of an operation on the host. The cause argument is the error that the operation returned, or
// nil. If cause is an error, the outcome of the event is "failed". audit commits the event even if the requester has
// disconnected, because the operation may have taken effect. It returns cause, joined with the error of the commit if
// the commit failed.
func (s *Service) audit(ctx context.Context, event domain.Event, cause error) error {
	if cause != nil {
		event = event.Ended(domain.OutcomeFailed)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditTimeout)
	defer cancel()
	if err := s.config.Gate.Audit(ctx, event); err != nil {
		return errors.Join(err, cause)
	}
	return cause
}

// find returns the caller and the droplet with the given name. Only managers may call it. find never sends the name to
// the host; it compares the name with the names that the host lists. Errors: those of manager; ErrDropletNotFound.
func (s *Service) find(ctx context.Context, by domain.Requester, action domain.Action, name string) (domain.Caller,
	domain.Droplet, error) {
	caller, err := s.manager(ctx, by, action, name)
	if err != nil {
		return caller, domain.Droplet{}, err
	}
	droplets, err := s.listAndCleanUp(ctx, by)
	if err != nil {
		return caller, domain.Droplet{}, err
	}
	droplet, err := domain.FindDroplet(droplets, name)
	return caller, droplet, err
}

// change performs one operation on the droplet with the given name, audits it, and returns the updated list.
func (s *Service) change(ctx context.Context, by domain.Requester, action domain.Action, name string,
	do func(ctx context.Context, container string) error) ([]domain.Droplet, error) {
	caller, droplet, err := s.find(ctx, by, action, name)
	if err != nil {
		return nil, err
	}
	err = withName(droplet, do(ctx, droplet.Container))
	if err := s.audit(ctx, s.config.Gate.Event(action, by, caller).To(name), err); err != nil {
		return nil, err
	}
	return s.listAndCleanUp(ctx, by)
}

// withName replaces the container's identifier in a message from the host with the droplet's name. The requester knows
// only the name.
func withName(droplet domain.Droplet, err error) error {
	refusal, ok := domain.AsHostRefusal(err)
	if !ok {
		return err
	}
	return domain.HostRefused(strings.ReplaceAll(refusal.Message, droplet.Container, string(droplet.Name)))
}

// isHostUnavailable reports whether the host did not answer. If so, the operation may still take effect later.
func isHostUnavailable(err error) bool {
	return domain.CodeOf(err) == domain.ErrDropletHostUnavailable.Code
}
