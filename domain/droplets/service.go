// Package droplets holds the use cases of droplets: containers on a Docker host that behave like small servers, with their
// credentials in a box. One file is one verb.
//
// The host is asked each time and is the truth about what there is. What the database has is for what the host cannot know:
// where a private key was written, and which makings and removals were cut off.
package droplets

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

const (
	// lease is how long somebody who makes or removes a droplet is left alone; longer than they can take.
	lease = 2 * time.Minute
	// makePatience bounds the making of a droplet, takeBackPatience the removal of one.
	makePatience     = 30 * time.Second
	takeBackPatience = 20 * time.Second
	// lookPatience bounds a look at the host with what is tidied up on the occasion.
	lookPatience = 4300 * time.Millisecond
	// tidyPatience is the part of it that tidying may take: a container that cannot be removed must not hide the others.
	tidyPatience   = 2 * time.Second
	recordPatience = 5 * time.Second
)

// Config is what the use cases need. All parts are required, except that Host is nil where none is set up.
type Config struct {
	Store     ports.Store
	Events    ports.EventWriter
	Host      ports.DropletHost
	Vault     ports.DropletVault
	NewSSHKey ports.NewSSHKeyFunc
	Clock     ports.Clock
	IDs       ports.IDs

	Prefix domain.DropletPrefix
	// Images are those that a droplet may be made of; the first is the default.
	Images []string
}

// Service is the use cases of droplets. It is safe for concurrent use.
type Service struct{ Config }

// New returns the use cases.
func New(config Config) *Service { return &Service{config} }

// inGroup returns the caller as the database has it now, and the refusal for one whose group is too low.
func (s *Service) inGroup(ctx context.Context, repos ports.Repos, by domain.Requester,
	least domain.Group) (domain.Caller, error) {
	caller, err := repos.Callers.Caller(ctx, by.Credential)
	if err != nil {
		return domain.Caller{}, err
	}
	if err := caller.Authenticate(s.Clock.Now()); err != nil {
		return domain.Caller{}, err
	}
	return caller, caller.AuthorizeGroup(least)
}

// manager decides whether the requester may change droplets, and whether there is a host for it. A refusal is on record,
// with the name if it is one that a droplet can have.
func (s *Service) manager(ctx context.Context, by domain.Requester, action domain.Action, name string) (domain.Caller,
	error) {
	caller, err := s.inGroup(ctx, s.Store.Read(), by, domain.GroupManager)
	if errors.Is(err, domain.Forbidden) {
		if _, possible := s.Prefix.Parse(name); !possible {
			name = ""
		}
		return caller, errors.Join(s.Events.Write(ctx,
			s.event(action, by, caller).To(name).Ended(domain.OutcomeDenied)), err)
	}
	if err == nil && s.Host == nil {
		err = domain.ErrNoDropletHost
	}
	return caller, err
}

func (s *Service) event(action domain.Action, by domain.Requester, caller domain.Caller) domain.Event {
	return domain.NewEvent(s.IDs.New(), action, by, caller, s.Clock.Now())
}

// write puts on record how something ended that the host was asked for, also when the requester is gone.
func (s *Service) write(ctx context.Context, event domain.Event, cause error) error {
	if cause != nil {
		event = event.Ended(domain.OutcomeFailed)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordPatience)
	defer cancel()
	if err := s.Events.Write(ctx, event); err != nil {
		return errors.Join(err, cause)
	}
	return cause
}

// find returns the droplet of a name for a manager, who is told of no other container. What somebody typed never reaches the
// host: it is looked for among the names that the host lists.
func (s *Service) find(ctx context.Context, by domain.Requester, action domain.Action, name string) (domain.Caller,
	domain.Droplet, error) {
	caller, err := s.manager(ctx, by, action, name)
	if err != nil {
		return caller, domain.Droplet{}, err
	}
	droplets, err := s.look(ctx, by)
	if err != nil {
		return caller, domain.Droplet{}, err
	}
	droplet, err := domain.FindDroplet(droplets, name)
	return caller, droplet, err
}

// act does one thing to the droplet of a name and returns the list as it is then.
func (s *Service) act(ctx context.Context, by domain.Requester, action domain.Action, name string,
	do func(ctx context.Context, container string) error) ([]domain.Droplet, error) {
	caller, droplet, err := s.find(ctx, by, action, name)
	if err != nil {
		return nil, err
	}
	err = reasonAbout(droplet, do(ctx, droplet.Container))
	if err := s.write(ctx, s.event(action, by, caller).To(name), err); err != nil {
		return nil, err
	}
	return s.look(ctx, by)
}

// reasonAbout puts the name of a droplet where the host's reason has the container's identifier.
func reasonAbout(droplet domain.Droplet, err error) error {
	refusal, ok := errors.AsType[*domain.Error](err)
	if !ok || refusal.Code != domain.HostRefused("").Code {
		return err
	}
	return domain.HostRefused(strings.ReplaceAll(refusal.Message, droplet.Container, string(droplet.Name)))
}
