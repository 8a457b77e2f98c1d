package droplets

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// listAndCleanUp first finishes interrupted builds and removals, and then returns the host's droplets, newest first. No
// background job is needed. An interrupted build or removal affects only requests about droplets, and each of these
// requests calls listAndCleanUp first.
func (s *Service) listAndCleanUp(ctx context.Context, by domain.Requester) ([]domain.Droplet, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	// A build inserts its record before it creates its container, so each listed container has had a record. If the
	// later list of records does not contain this record, the record was deleted. The containers must therefore be
	// listed first.
	droplets, err := s.config.Host.List(ctx)
	if err != nil {
		return nil, err
	}
	records, err := s.config.Store.Read().Droplets.List(ctx)
	if err != nil {
		return nil, err
	}
	if !s.cleanUp(ctx, by, droplets, records) {
		return droplets, nil
	}
	return s.config.Host.List(ctx)
}

// cleanUp finishes interrupted builds and removals, and reports whether it sent the host a request to remove a
// container. A build or removal is interrupted if its server or the host has stopped working. A failed cleanup of a
// record is audited, but the request does not fail. A later request tries again after the lease of this record has
// expired.
func (s *Service) cleanUp(ctx context.Context, by domain.Requester, droplets []domain.Droplet,
	records []domain.DropletRecord) (changed bool) {
	ctx, cancel := context.WithTimeout(ctx, cleanupTimeout)
	defer cancel()
	known := make(map[domain.DropletID]bool, len(records))
	for _, record := range records {
		known[record.ID] = true
		if record.Orphaned(s.config.Clock.Now()) && s.cleanUpRecord(ctx, by, droplets, record) {
			changed = true
		}
	}
	// A slow host may create a container after the build was rolled back. Such a container never ran, and its private
	// key was discarded, so it can be removed.
	for _, droplet := range droplets {
		if !droplet.Started && !known[droplet.Build] {
			changed = true
			_ = s.config.Host.Remove(ctx, droplet.Container) // the next cleanup tries again
		}
	}
	return changed
}

// cleanUpRecord removes the containers and the entry of an orphaned record, unless another server claims the record
// first. It reports whether it sent the host a request to remove a container.
func (s *Service) cleanUpRecord(ctx context.Context, by domain.Requester, droplets []domain.Droplet,
	record domain.DropletRecord) (changed bool) {
	claimed, ok, err := s.config.Store.Read().Droplets.Claim(ctx, record, s.config.Clock.Now().Add(lease))
	if err != nil || !ok {
		return false
	}
	containers := containersOf(claimed, droplets)
	service := domain.Caller{Name: domain.ServiceActor}
	event := s.config.Gate.Event(domain.ActionDeleteDroplet, by, service).To(nameOf(claimed, containers))
	if err := s.removeAll(ctx, by, claimed, containers, event); err != nil {
		_ = s.audit(ctx, event, err) // the claim stays until its lease expires
	}
	return len(containers) > 0
}

// containersOf returns the droplets that a record refers to. For a complete build, this is the container in the record.
// For an incomplete build, these are all containers that carry the label of the build.
func containersOf(record domain.DropletRecord, droplets []domain.Droplet) []domain.Droplet {
	var found []domain.Droplet
	for _, droplet := range droplets {
		if record.Container == droplet.Container || !record.Complete() && record.ID == droplet.Build {
			found = append(found, droplet)
		}
	}
	return found
}

// nameOf returns the name of a record's droplet. An incomplete record has no name, so nameOf uses the name of its
// container.
func nameOf(record domain.DropletRecord, containers []domain.Droplet) string {
	if record.Name == "" && len(containers) > 0 {
		return string(containers[0].Name)
	}
	return string(record.Name)
}

// removeAll removes everything that a claimed record refers to. It removes the entry first, because the entry can be
// removed even when the host does not answer. The event is committed together with the deletion of the record.
func (s *Service) removeAll(ctx context.Context, by domain.Requester, claimed domain.DropletRecord,
	containers []domain.Droplet, event domain.Event) error {
	if err := s.undoKeyEntry(ctx, by, claimed); err != nil {
		return err
	}
	for _, droplet := range containers {
		if err := s.config.Host.Remove(ctx, droplet.Container); err != nil {
			return err
		}
	}
	return s.config.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		if err := repos.Droplets.Delete(ctx, claimed.ID); err != nil {
			return err
		}
		return repos.Events.Append(ctx, event)
	})
}

// undoKeyEntry deletes the entry that contains a droplet's private key, if the build was complete. For an incomplete
// build, it restores the value that the key replaced. It changes nothing if the key was not stored, or if the entry has
// changed since the key was stored. The first call is such a change, so a second call is safe.
func (s *Service) undoKeyEntry(ctx context.Context, by domain.Requester, record domain.DropletRecord) error {
	switch {
	case record.VersionRef.IsZero():
		return nil
	case record.Complete():
		return s.config.Vault.DeleteUnchanged(ctx, by, record.VersionRef)
	default:
		return s.config.Vault.UndoWrite(ctx, by, record.VersionRef, record.Replaced)
	}
}
