package droplets

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// build is one droplet under construction. Its record is in the database before the first step.
type build struct {
	service *Service
	by      domain.Requester
	image   string
	box     ports.DropletBox // nil when the response contains the private key
	env     []domain.Secret
	record  domain.DropletRecord
	event   domain.Event

	// These fields hold the results of the completed steps. rollback needs them.
	name      domain.DropletName
	container string
	key       ports.SSHKey
}

// run starts a container under one of the free droplet numbers, stores the private key and completes the record. After
// an error, the caller calls rollback.
//
// Only the start of a container shows whether the ports of its number are free. run therefore stores the private key
// after the start. If run stored the key first, each number whose ports are in use would leave a useless version in an
// entry.
func (b *build) run(ctx context.Context, free []int) (AddedDroplet, error) {
	ctx, cancel := context.WithTimeout(ctx, buildTimeout)
	defer cancel()
	defer func() { b.key.Private.Clear() }()
	if err := b.launch(ctx, free); err != nil {
		return AddedDroplet{}, b.withoutValues(err)
	}
	if err := b.storeKey(ctx); err != nil {
		return AddedDroplet{}, err
	}
	// Ask the host for the list before the record is complete: if the host does not answer, the build can still be
	// rolled back.
	droplets, err := b.service.config.Host.List(ctx)
	if err != nil {
		return AddedDroplet{}, err
	}
	if err := b.complete(ctx); err != nil {
		return AddedDroplet{}, err
	}
	added := AddedDroplet{Droplets: droplets, Container: b.container}
	if b.box == nil {
		added.PrivateKey = domain.NewSecret(string(b.key.Private.Bytes()))
	}
	return added, nil
}

// launch creates and starts the container under the lowest number that the host accepts. Only the host knows all
// containers and programs that run on it. The host refuses to create a container whose name is taken, and to start a
// container whose port is in use. In both cases launch tries the next number and leaves the other containers unchanged.
// launch returns any other error.
func (b *build) launch(ctx context.Context, free []int) error {
	s, unnamed := b.service, b.event
	trying, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	var occupied []int
	for i, number := range free {
		if trying.Err() != nil && ctx.Err() == nil {
			return s.config.Prefix.NoUsableNumber(occupied, free[i:])
		}
		err := b.create(ctx, number)
		if errors.Is(err, domain.Conflict) {
			b.key.Private.Clear() // each name has its own key
			continue
		}
		if err != nil {
			return err
		}
		b.event = unnamed.To(string(b.name))
		err = s.config.Host.Start(ctx, b.container)
		if !errors.Is(err, ports.ErrPortTaken) {
			return err
		}
		if err := s.config.Host.Remove(ctx, b.container); err != nil {
			return err
		}
		b.container, b.event = "", unnamed
		b.key.Private.Clear()
		occupied = append(occupied, number)
	}
	return s.config.Prefix.NoUsableNumber(occupied, nil)
}

// create makes a new key pair and creates the container of the droplet with the given number. It returns an error of
// kind Conflict if the host already has a container with the name of that droplet. Another server or another
// installation may have created that container.
func (b *build) create(ctx context.Context, number int) error {
	s := b.service
	b.name = s.config.Prefix.Name(number)
	var err error
	if b.key, err = s.config.NewSSHKey(string(b.name)); err != nil {
		return err
	}
	b.container, err = s.config.Host.Create(ctx, ports.NewDroplet{
		Build:         b.record.ID,
		Name:          b.name,
		Image:         b.image,
		Env:           b.env,
		AuthorizedKey: b.key.Authorized,
		Ports:         domain.DropletPorts(number),
	})
	return err
}

// storeKey writes the private key into the box as a JSON string. The same transaction stores a reference to the new
// version in the record. Even after a crash, a stored key therefore always has a record that refers to it.
func (b *build) storeKey(ctx context.Context) error {
	if b.box == nil {
		return nil
	}
	value, err := json.Marshal(string(b.key.Private.Bytes()))
	if err != nil {
		return err
	}
	defer clear(value)
	return b.box.Write(ctx, b.name.SSHKeyEntry(), value, b.record.ID)
}

// complete marks the record as complete and appends the audit event in the same transaction.
func (b *build) complete(ctx context.Context) error {
	return b.service.config.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		if err := repos.Droplets.Finish(ctx, b.record.ID, b.name, b.container); err != nil {
			return err
		}
		return repos.Events.Append(ctx, b.event)
	})
}

// withoutValues returns ErrDropletReasonWithheld if err is a refusal by the host and its text contains the value of an
// environment variable. It returns any other error unchanged.
func (b *build) withoutValues(err error) error {
	refusal, ok := domain.AsHostRefusal(err)
	if !ok {
		return err
	}
	return domain.WithoutValues(refusal, b.env)
}
