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

	// The results of the steps so far, which rollback needs.
	name      domain.DropletName
	container string
	key       ports.SSHKey
}

// run creates the container, stores the private key, starts the droplet and completes its record. After an error the
// caller calls rollback.
func (b *build) run(ctx context.Context, free []int) (AddedDroplet, error) {
	ctx, cancel := context.WithTimeout(ctx, buildTimeout)
	defer cancel()
	defer func() { b.key.Private.Clear() }()
	if err := b.create(ctx, free); err != nil {
		return AddedDroplet{}, err
	}
	b.event = b.event.To(string(b.name))
	if err := b.storeKey(ctx); err != nil {
		return AddedDroplet{}, err
	}
	if err := b.service.config.Host.Start(ctx, b.container); err != nil {
		return AddedDroplet{}, b.withoutValues(err)
	}
	// The list comes before the record is complete, so that a build without a response is rolled back as well.
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

// create creates the container under the lowest free number. Other servers may create droplets concurrently; the host
// gives each name to one of them, and the others try the next number.
func (b *build) create(ctx context.Context, free []int) error {
	s := b.service
	for _, number := range free {
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
		if err == nil || !errors.Is(err, domain.Conflict) {
			return b.withoutValues(err)
		}
		b.key.Private.Clear() // a key belongs to one name
	}
	return s.config.Prefix.NoFreeNumber()
}

// storeKey writes the private key into the box as a JSON string. The record notes the version in the same
// transaction, so that no crash can leave a key that nothing refers to.
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

// withoutValues withholds a host's reason that contains a value of the environment.
func (b *build) withoutValues(err error) error {
	refusal, ok := domain.AsHostRefusal(err)
	if !ok {
		return err
	}
	return domain.WithoutValues(refusal, b.env)
}
