package droplets

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// look asks the host for its droplets and, on the occasion, takes away what was cut off.
func (s *Service) look(ctx context.Context, by domain.Requester) ([]domain.Droplet, error) {
	ctx, cancel := context.WithTimeout(ctx, lookPatience)
	defer cancel()
	// The host comes first: a container whose making begins after that is not among what it lists.
	droplets, err := s.Host.List(ctx)
	if err != nil {
		return nil, err
	}
	records, err := s.Store.Read().Droplets.List(ctx)
	if err != nil {
		return nil, err
	}
	if !s.tidy(ctx, by, droplets, records) {
		return droplets, nil
	}
	return s.Host.List(ctx)
}

// tidy takes away what makings and removals left that were cut off, by the end of a server or of the host, and reports
// whether the host was asked to remove anything. What cannot be taken away now is on record and tried again after a time:
// it is no reason not to list what is there.
func (s *Service) tidy(ctx context.Context, by domain.Requester, droplets []domain.Droplet,
	records []domain.DropletRecord) (changed bool) {
	ctx, cancel := context.WithTimeout(ctx, tidyPatience)
	defer cancel()
	known := make(map[domain.DropletID]bool, len(records))
	for _, record := range records {
		known[record.ID] = true
		if !record.LeftOver(s.Clock.Now()) {
			continue
		}
		claimed, ok, err := s.Store.Read().Droplets.Claim(ctx, record, s.Clock.Now().Add(lease))
		if err != nil || !ok {
			continue // another server is at it
		}
		remains := remainsOf(claimed, droplets)
		changed = changed || len(remains) > 0
		event := s.event(domain.ActionDeleteDroplet, by, domain.Caller{Name: domain.ServiceActor}).To(nameOf(claimed,
			remains))
		if err := s.dismantle(ctx, by, claimed, remains, event); err != nil {
			_ = s.write(ctx, event, err) // it stays claimed for a while
		}
	}
	// A host that answered too late for its making has made this since. It never ran, and nobody has its key.
	for _, droplet := range droplets {
		if !droplet.Started && !known[droplet.Made] {
			changed = true
			_ = s.Host.Remove(ctx, droplet.Container) // or at the next look
		}
	}
	return changed
}

// remainsOf returns the droplets that a record is about: the one that became whole, or what its making left.
func remainsOf(record domain.DropletRecord, droplets []domain.Droplet) []domain.Droplet {
	var remains []domain.Droplet
	for _, droplet := range droplets {
		if record.Container == droplet.Container || record.Container == "" && record.ID == droplet.Made {
			remains = append(remains, droplet)
		}
	}
	return remains
}

func nameOf(record domain.DropletRecord, remains []domain.Droplet) string {
	if record.Name == "" && len(remains) > 0 {
		return string(remains[0].Name)
	}
	return string(record.Name)
}

// dismantle takes away all that a claimed record stands for, the entry before the containers: it can go while the host is
// silent. The event goes on record together with the end of the record.
func (s *Service) dismantle(ctx context.Context, by domain.Requester, claimed domain.DropletRecord,
	remains []domain.Droplet,
	event domain.Event) error {
	if err := s.removeEntry(ctx, by, claimed); err != nil {
		return err
	}
	for _, droplet := range remains {
		if err := s.Host.Remove(ctx, droplet.Container); err != nil {
			return err
		}
	}
	return s.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		if err := repos.Droplets.Delete(ctx, claimed.ID); err != nil {
			return err
		}
		return repos.Events.Append(ctx, event)
	})
}

// removeEntry takes a private key out of its box again, if one was written and nobody has changed it since.
func (s *Service) removeEntry(ctx context.Context, by domain.Requester, record domain.DropletRecord) error {
	if record.Version == 0 || record.Box.IsZero() {
		return nil
	}
	return s.Vault.DeleteUnchanged(ctx, by, record)
}
