package droplets

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// AddDroplet is the request to add a droplet. Every field may be empty.
type AddDroplet struct {
	// Image is one of the configured images. An empty Image selects the first of them.
	Image string
	// Box is the box that stores the private key. The key becomes the entry droplets/NAME/ssh. If Box is empty, the
	// response contains the key.
	Box string
	// Env maps the name of each environment variable to the key of an entry in Box. The variable gets the value of this
	// entry.
	Env map[string]string
	// EncryptionKey opens the entries of Env and seals the private key. Add authorises the caller before it checks
	// EncryptionKey. If Box is empty, Add ignores EncryptionKey. The caller of Add clears EncryptionKey.
	EncryptionKey domain.EncryptionKey
}

// AddedDroplet is the result of Add.
type AddedDroplet struct {
	// Droplets is the updated list, newest first.
	Droplets []domain.Droplet
	// Container identifies the new droplet in the list.
	Container string
	// PrivateKey is empty if a box stores the key. The caller clears it.
	PrivateKey domain.Secret
}

// Add builds a droplet with the lowest number whose name and ports are free on the host. Only managers may call it. If
// the request names a box, the caller needs the permission createEntry in it, and also readEntry if Env is not empty.
//
// Add first makes all checks that need no change on the host or in the database. When a later step fails, Add removes
// the container and undoes the write of the private key. When the host or the database does not answer, a later request
// about droplets completes the rollback.
func (s *Service) Add(ctx context.Context, by domain.Requester, in AddDroplet) (AddedDroplet, error) {
	caller, err := s.manager(ctx, by, domain.ActionAddDroplet, "")
	if err != nil {
		return AddedDroplet{}, err
	}
	box, err := s.openBox(ctx, by, in)
	if err != nil {
		return AddedDroplet{}, err
	}
	if box != nil {
		defer box.Close()
	}
	if err := domain.CheckEnvNames(in.Env); err != nil {
		return AddedDroplet{}, err
	}
	image, err := domain.ChooseImage(in.Image, s.config.Images)
	if err != nil {
		return AddedDroplet{}, err
	}
	env, err := readEnv(ctx, box, in.Env)
	defer clearAll(env)
	if err != nil {
		return AddedDroplet{}, err
	}
	b := &build{
		service: s,
		by:      by,
		image:   image,
		box:     box,
		env:     env,
	}
	droplets, err := s.listAndCleanUp(ctx, by)
	if err != nil {
		return AddedDroplet{}, err
	}
	if b.record, err = s.beginBuild(ctx, by); err != nil {
		return AddedDroplet{}, err
	}
	b.event = s.config.Gate.Event(domain.ActionAddDroplet, by, caller)
	added, err := b.run(ctx, s.config.Prefix.Free(droplets))
	if err != nil {
		return AddedDroplet{}, b.rollback(ctx, err)
	}
	return added, nil
}

// openBox opens the box of the request. It returns nil if the request names no box.
func (s *Service) openBox(ctx context.Context, by domain.Requester, in AddDroplet) (ports.DropletBox, error) {
	wanted := domain.CreateEntry
	if len(in.Env) > 0 {
		if in.Box == "" {
			return nil, domain.InvalidField("env", "invalid_env",
				"the field env requires the field box, because the values are read from entries of that box")
		}
		wanted |= domain.ReadEntry
	}
	if in.Box == "" {
		return nil, nil
	}
	return s.config.Vault.OpenBox(ctx, by, ports.OpenBox{
		Box:           in.Box,
		Permissions:   wanted,
		Action:        domain.ActionAddDroplet,
		EncryptionKey: in.EncryptionKey,
	})
}

// beginBuild inserts the record of a build. It authorises the manager again, because the manager's rights may have
// changed while Add waited for key derivation.
func (s *Service) beginBuild(ctx context.Context, by domain.Requester) (domain.DropletRecord, error) {
	now := s.config.Clock.Now()
	record := domain.NewDropletRecord(s.config.IDs.New(), now, now.Add(lease))
	err := s.config.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		if _, err := s.config.Gate.InGroup(ctx, repos, by, domain.GroupManager); err != nil {
			return err
		}
		return repos.Droplets.Add(ctx, record)
	})
	return record, err
}

// clearAll overwrites secrets with zeros.
func clearAll(secrets []domain.Secret) {
	for _, each := range secrets {
		each.Clear()
	}
}
