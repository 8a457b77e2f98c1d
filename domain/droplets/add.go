package droplets

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// AddDroplet asks for a new droplet. All fields may be empty.
type AddDroplet struct {
	// Image is one of those of the settings; empty is the first.
	Image string
	// Box is where the private key goes, as the entry droplets/NAME/ssh. Without one it comes back in the answer.
	Box string
	// Env is names of environment variables with the keys of entries in Box.
	Env map[string]string
	// EncryptionKey opens those entries and seals the private key.
	EncryptionKey string
}

// AddedDroplet is what became of it.
type AddedDroplet struct {
	// Droplets is the updated list, newest first.
	Droplets []domain.Droplet
	// Container is the new one's identifier.
	Container string
	// PrivateKey is empty when it is in a box.
	PrivateKey domain.Secret
}

// Add makes a droplet with the lowest free number; for managers, who need createEntry in the box, and readEntry for an
// environment. All that can be refused is refused before anything is made, and an error means that nothing of the droplet
// is left, or that what is left is taken away by the next request about droplets.
func (s *Service) Add(ctx context.Context, by domain.Requester, in AddDroplet) (AddedDroplet, error) {
	caller, err := s.manager(ctx, by, domain.ActionAddDroplet, "")
	if err != nil {
		return AddedDroplet{}, err
	}
	if err := s.check(ctx, by, &in); err != nil {
		return AddedDroplet{}, err
	}
	env, err := s.readEnv(ctx, by, in)
	defer func() {
		for _, each := range env {
			each.Clear()
		}
	}()
	if err != nil {
		return AddedDroplet{}, err
	}
	droplets, err := s.look(ctx, by)
	if err != nil {
		return AddedDroplet{}, err
	}
	record, err := s.begin(ctx, by)
	if err != nil {
		return AddedDroplet{}, err
	}
	m := &making{
		service: s,
		by:      by,
		in:      in,
		env:     env,
		record:  record,
		event:   s.event(domain.ActionAddDroplet, by, caller),
	}
	added, err := m.run(ctx, s.Prefix.Free(droplets))
	if err != nil {
		return AddedDroplet{}, m.takeBack(ctx, err)
	}
	return added, nil
}

// check refuses what is wrong with the request itself. Whether the caller may use the box comes first.
func (s *Service) check(ctx context.Context, by domain.Requester, in *AddDroplet) error {
	if in.Box == "" && len(in.Env) > 0 {
		return domain.InvalidField("env", "invalid_env", "env needs box, where its entries are")
	}
	if in.Box != "" {
		wanted := domain.CreateEntry
		if len(in.Env) > 0 {
			wanted |= domain.ReadEntry
		}
		if err := s.Vault.Authorize(ctx, by, in.Box, wanted); err != nil {
			return err
		}
		key, err := domain.ParseEncryptionKey(in.EncryptionKey)
		if err != nil {
			return err
		}
		key.Clear()
	}
	if err := domain.CheckEnvNames(in.Env); err != nil {
		return err
	}
	var err error
	in.Image, err = domain.ChooseImage(in.Image, s.Images)
	return err
}

// begin leaves a record of what is about to be made, if the caller still may: reading the environment can have taken its
// time.
func (s *Service) begin(ctx context.Context, by domain.Requester) (domain.DropletRecord, error) {
	now := s.Clock.Now()
	record := domain.NewDropletRecord(s.IDs.New(), now, now.Add(lease))
	err := s.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		if _, err := s.inGroup(ctx, repos, by, domain.GroupManager); err != nil {
			return err
		}
		return repos.Droplets.Add(ctx, record)
	})
	return record, err
}

// making is one droplet on its way.
type making struct {
	service *Service
	by      domain.Requester
	in      AddDroplet
	env     []domain.Secret
	record  domain.DropletRecord
	event   domain.Event
	// What is known so far.
	name      domain.DropletName
	container string
	key       ports.SSHKey
}

// run makes the container, puts the private key away, starts the droplet and closes its record.
func (m *making) run(ctx context.Context, free []int) (AddedDroplet, error) {
	ctx, cancel := context.WithTimeout(ctx, makePatience)
	defer cancel()
	defer func() { m.key.Private.Clear() }()
	s := m.service
	if err := m.create(ctx, free); err != nil {
		return AddedDroplet{}, err
	}
	m.event = m.event.To(string(m.name))
	if err := m.putKeyAway(ctx); err != nil {
		return AddedDroplet{}, err
	}
	if err := s.Host.Start(ctx, m.container); err != nil {
		return AddedDroplet{}, m.withoutValues(err)
	}
	// Before the record is closed: an add whose answer cannot be made is taken back as well.
	droplets, err := s.Host.List(ctx)
	if err != nil {
		return AddedDroplet{}, err
	}
	err = s.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		if err := repos.Droplets.Finish(ctx, m.record.ID, m.name, m.container); err != nil {
			return err
		}
		return repos.Events.Append(ctx, m.event)
	})
	added := AddedDroplet{Droplets: droplets, Container: m.container}
	if m.in.Box == "" {
		added.PrivateKey = domain.NewSecret(string(m.key.Private.Bytes()))
	}
	return added, err
}

// create takes the lowest number that the host gives: others may make droplets at the same time, and it lets one of them
// have each name.
func (m *making) create(ctx context.Context, free []int) error {
	s := m.service
	for _, number := range free {
		m.name = s.Prefix.Name(number)
		var err error
		if m.key, err = s.NewSSHKey(string(m.name)); err != nil {
			return err
		}
		m.container, err = s.Host.Create(ctx, ports.NewDroplet{
			Made:          m.record.ID,
			Name:          m.name,
			Image:         m.in.Image,
			Env:           m.env,
			AuthorizedKey: m.key.Authorized,
			Ports:         domain.DropletPorts(number),
		})
		if err == nil || !errors.Is(err, domain.Conflict) {
			return m.withoutValues(err)
		}
		m.key.Private.Clear()
	}
	return domain.HostRefused("Error response from daemon: all numbers from " + string(s.Prefix.Name(1)) + " to " +
		string(s.Prefix.Name(domain.MaxDroplets)) + " are taken")
}

// putKeyAway writes the private key into the box, as a string, and notes in the same transaction what it was written as.
func (m *making) putKeyAway(ctx context.Context) error {
	if m.in.Box == "" {
		return nil
	}
	value, err := json.Marshal(string(m.key.Private.Bytes()))
	if err != nil {
		return err
	}
	defer clear(value)
	at := ports.EntryAddress{Box: m.in.Box, Key: string(m.name.KeyOf()), EncryptionKey: m.in.EncryptionKey}
	return m.service.Vault.Write(ctx, m.by, at, value,
		func(ctx context.Context, repos ports.Repos, entry domain.Entry) error {
			return repos.Droplets.NoteEntry(ctx, m.record.ID, entry)
		})
}

// withoutValues keeps the environment out of the host's reason.
func (m *making) withoutValues(err error) error {
	refusal, ok := errors.AsType[*domain.Error](err)
	if !ok || refusal.Code != domain.HostRefused("").Code {
		return err
	}
	return domain.HostRefused(domain.WithoutValues(refusal.Message, m.env))
}

// takeBack removes what a making left, also when the requester is gone, and returns why it failed. Where the host does not
// answer, the entry goes now and the container when somebody next asks for droplets.
func (m *making) takeBack(ctx context.Context, cause error) error {
	s := m.service
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeBackPatience)
	defer cancel()
	claimed, ok, err := s.Store.Read().Droplets.Claim(ctx, m.record, s.Clock.Now().Add(lease))
	if err != nil {
		return errors.Join(cause, s.write(ctx, m.event, err)) // its lease runs out
	}
	if !ok && domain.CodeOf(cause) != domain.ErrDropletAbandoned.Code {
		return cause // it was kept after all, though the database did not say so
	}
	if !ok {
		return s.write(ctx, m.event, cause) // whoever claimed it removes it
	}
	if isSilence(cause) {
		err := errors.Join(s.removeEntry(ctx, m.by, claimed),
			s.Store.Read().Droplets.Release(ctx, claimed, s.Clock.Now()))
		return errors.Join(s.write(ctx, m.event, cause), err)
	}
	var remains []domain.Droplet
	if m.container != "" {
		remains = []domain.Droplet{{Container: m.container, Name: m.name}}
	} else if droplets, err := s.Host.List(ctx); err == nil {
		remains = remainsOf(claimed, droplets)
	}
	if err := s.dismantle(ctx, m.by, claimed, remains, m.event.Ended(domain.OutcomeFailed)); err != nil {
		return errors.Join(cause, err, s.Store.Read().Droplets.Release(ctx, claimed, s.Clock.Now()))
	}
	return cause
}

// isSilence reports whether the host did not answer.
func isSilence(err error) bool { return domain.CodeOf(err) == domain.ErrDropletHostUnavailable.Code }
