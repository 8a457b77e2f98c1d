package vault

import (
	"context"
	"errors"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// versionWrite describes a version that a write or a restore adds to an entry.
type versionWrite struct {
	// snapshot is the state of the entry at the start of the request. The use case has already checked this state
	// against the fields "wanted" and "condition" below.
	snapshot ports.EntrySnapshot
	// wanted contains the permissions that the caller must have.
	wanted    domain.Permissions
	condition domain.Condition
	// event is appended in the transaction that stores the version.
	event domain.Event
	// droplet identifies the droplet whose record must refer to the version. It is zero if the write does not belong to
	// a droplet.
	droplet domain.DropletID
	// boxKey returns the id of the encryption key of the version, or zero if that key has no id. It is called only if
	// the box has a keyring.
	boxKey func() domain.KeyID
	// seal returns the version to store. The entry argument already has the number of the new version. The argument
	// "before" is the envelope of the replaced version. seal may be called more than once.
	seal func(entry domain.Entry, before ports.Sealed) (ports.NewVersion, error)
}

// writeVersion adds a version to an entry. In most cases, no other request writes the same entry, and writeUnlocked can
// store the version without a lock. Otherwise writeVersion calls writeLocked. If the caller may read entries, the
// result is the id of the box key under which the version was encrypted.
func (s *Service) writeVersion(ctx context.Context, write versionWrite) (domain.KeyID, error) {
	// Do not try again after an error: if the outcome is unknown, a second attempt could store the value twice.
	stored, err := s.writeUnlocked(ctx, write)
	if !stored && err == nil {
		err = s.writeLocked(ctx, &write)
	}
	access := write.snapshot.Access
	if err != nil || access.Use(domain.ReadEntry) != nil {
		return domain.KeyID{}, err
	}
	return access.Box.Key, nil
}

// sealVersion calls w.seal and sets BoxKey of the version to the key of the box. The caller must have checked that the
// encryption key of the version is the key of the box.
func (w versionWrite) sealVersion(entry domain.Entry, before ports.Sealed, box domain.Box) (ports.NewVersion, error) {
	version, err := w.seal(entry, before)
	version.BoxKey = box.Key
	return version, err
}

// writeUnlocked stores the version if the snapshot is still current. Otherwise it stores nothing and returns false, and
// the caller must call writeLocked.
func (s *Service) writeUnlocked(ctx context.Context, write versionWrite) (stored bool, err error) {
	// Two kinds of writes need a larger transaction: a new entry must also be counted in its box, and a write for a
	// droplet must also update the droplet's record.
	if !write.snapshot.Entry.Exists() || !write.droplet.IsZero() {
		return false, nil
	}
	now := s.config.Clock.Now()
	// The credential may have expired during the key derivation.
	if err := write.snapshot.Access.Caller.Authenticate(now); err != nil {
		return false, err
	}
	box := write.snapshot.Access.Box
	version, err := write.sealVersion(write.snapshot.Entry.Next(now), write.snapshot.Version.Envelope(), box)
	if errors.Is(err, ports.ErrStaleServerKey) {
		return false, nil // the unit of work of the locking path reloads the key ring
	}
	if err != nil {
		return false, err
	}
	return s.config.Writer.WriteIfUnchanged(ctx, ports.ConditionalWrite{
		Snapshot: write.snapshot,
		Version:  version,
		At:       now,
		Keep:     s.config.KeepVersions,
		Limited:  s.config.MaxBytesPerBox > 0,
		Event:    write.event,
	})
}

// writeLocked locks the entry. It then authorises the caller again, checks the condition again, and stores the version.
// The access or the entry may have changed during a key derivation or while the transaction waited for the lock.
//
// The lock order is box, then entry. The lock on the box is needed only to count a new entry or to reserve more space
// for an entry. Requests that write different existing entries of a box therefore rarely wait for each other.
//
// writeLocked also compares the encryption key with the current box key. The box key cannot change until the commit,
// because a change of the box key needs the lock on the entry too. If writeLocked succeeds, write.snapshot contains the
// access that it read under the lock.
func (s *Service) writeLocked(ctx context.Context, write *versionWrite) error {
	box, counted, reserves := write.snapshot.Access.Box, !write.snapshot.Entry.Exists(), false
	return s.config.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		now := s.config.Clock.Now()
		switch {
		case counted:
			err := repos.Entries.CountIn(ctx, box.ID, write.snapshot.Entry.Key, s.config.MaxEntriesPerBox, now)
			if err != nil {
				return err
			}
		case reserves:
			if err := repos.Boxes.Lock(ctx, box.ID); err != nil {
				return err
			}
		}
		locked, err := s.lockEntry(ctx, repos, write.snapshot, write.wanted)
		if err != nil {
			return err
		}
		if locked.Entry.Exists() == counted {
			// Another request has created or deleted the entry. Start again, to take the locks in the right order.
			counted = !locked.Entry.Exists()
			return ports.ErrStartOver
		}
		if err := write.condition.Check(locked.Entry); err != nil {
			return err
		}
		if under := locked.Access.Box; !under.Key.IsZero() {
			if err := under.CheckKey(write.boxKey()); err != nil {
				return err
			}
		}
		write.snapshot.Access = locked.Access
		err = s.addVersion(ctx, repos, *write, locked, counted || reserves)
		if errors.Is(err, ports.ErrStartOver) {
			reserves = true
		}
		return err
	})
}

// addVersion seals and stores the next version of a locked entry. If the entry needs a new reservation but the box is
// not locked, addVersion returns ErrStartOver. If the write belongs to a droplet, addVersion also stores the numbers of
// the new and the replaced version in the droplet's record.
func (s *Service) addVersion(ctx context.Context, repos ports.Repos, write versionWrite, locked ports.LockedEntry,
	boxLocked bool) error {
	before, err := envelopeBefore(ctx, repos, write.snapshot.Version, locked.Entry)
	if err != nil {
		return err
	}
	entry := locked.Entry.Next(s.config.Clock.Now())
	version, err := write.sealVersion(entry, before, locked.Access.Box)
	if err != nil {
		return err
	}
	keep := s.config.KeepVersions
	if keep == 1 && !write.droplet.IsZero() {
		keep = 2 // UndoWrite needs the replaced version; the next write deletes it
	}
	version.Reservation, err = s.reserve(ctx, repos, locked, version, keep)
	if err != nil {
		return err
	}
	if version.Reservation != nil && !boxLocked {
		return ports.ErrStartOver
	}
	if err := repos.Entries.AddVersion(ctx, entry, version, keep, write.event); err != nil || write.droplet.IsZero() {
		return err
	}
	var replaced uint64
	if locked.Entry.Exists() {
		replaced = locked.Entry.Version
	}
	return repos.Droplets.NoteEntry(ctx, write.droplet, entry, replaced)
}

// reserve returns the new reservation that a locked entry needs for its next version. It returns nil if the current
// reservation is enough for this version, or if MaxBytesPerBox is 0.
func (s *Service) reserve(ctx context.Context, repos ports.Repos, locked ports.LockedEntry, version ports.NewVersion,
	keep int) (*ports.Reservation, error) {
	size, number := len(version.Sealed.Value), version.Place.Version
	if s.config.MaxBytesPerBox == 0 || locked.Room.Covers(size, number, keep) {
		return nil, nil
	}
	var stored, largest int
	if locked.Entry.Version > 0 {
		var err error
		if stored, largest, err = repos.Entries.Stored(ctx, locked.Entry.Box, locked.Entry.Key); err != nil {
			return nil, err
		}
	}
	room := domain.Reserve(stored, largest, size, number, keep)
	return &ports.Reservation{
		Room:  room,
		Added: room.Bytes() - locked.Room.Bytes(),
		Limit: s.config.MaxBytesPerBox,
	}, nil
}

// envelopeBefore returns the envelope of the version that a write replaces. The envelope is empty if the entry has no
// value. envelopeBefore queries the database only if the entry has a newer version than the known one.
func envelopeBefore(ctx context.Context, repos ports.Repos, known ports.StoredVersion,
	locked domain.Entry) (ports.Sealed, error) {
	if locked.Exists() && known.Place.Version != locked.Version {
		var err error
		known, err = repos.Entries.Version(ctx, locked.Box, locked.Key, locked.Version)
		if err != nil && !errors.Is(err, domain.ErrVersionNotFound) {
			return ports.Sealed{}, err
		}
	}
	return known.Envelope(), nil
}

// lockEntry locks the entry of a snapshot, looks up the caller's access again and authorises the caller.
func (s *Service) lockEntry(ctx context.Context, repos ports.Repos, snapshot ports.EntrySnapshot,
	wanted domain.Permissions) (ports.LockedEntry, error) {
	now := s.config.Clock.Now()
	access, key := snapshot.Access, snapshot.Entry.Key
	locked, err := repos.Entries.Lock(ctx, access.Caller.Credential, access.Box, key, now)
	if err != nil {
		return ports.LockedEntry{}, err
	}
	if err := locked.Access.Caller.Authenticate(now); err != nil {
		return ports.LockedEntry{}, err
	}
	return locked, locked.Access.Use(wanted)
}
