package vault

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// OpenBox authorises a caller and returns a ports.DropletBox, through which the caller can read and write several
// entries of the box. Key derivation runs only once for all of these entries. Each read and write authorises the caller
// again, because access may have been revoked in the meantime. See also ports.DropletVault.
func (s *Service) OpenBox(ctx context.Context, by domain.Requester, in ports.OpenBox) (ports.DropletBox, error) {
	var access domain.Access
	_, err := s.authorize(ctx, s.config.Store.Read(), by, in.Box, func(found domain.Access) error {
		access = found
		return found.Use(in.Permissions)
	})
	if err != nil {
		return nil, s.config.Gate.Refused(ctx, s.event(in.Action, by, access), err)
	}
	if err := in.EncryptionKey.Check(); err != nil {
		return nil, err
	}
	if in.Permissions.Have(domain.CreateEntry) {
		// Write checks the key, but only after the droplet is built. Check the key here, so that a wrong key is refused
		// before the build.
		if err := checkBoxKey(in.EncryptionKey, access.Box); err != nil {
			return nil, err
		}
	}
	return &openBox{
		service: s,
		by:      by,
		box:     in.Box,
		key: requestKey{
			EncryptionKey: in.EncryptionKey,
			sealer:        s.config.Sealer,
			writes:        true,
		},
	}, nil
}

var _ ports.DropletVault = (*Service)(nil)

// openBox implements ports.DropletBox. It combines the service with one caller, one box and one key. It holds no lock
// and no database connection.
type openBox struct {
	service *Service
	by      domain.Requester
	box     string
	key     requestKey
}

// Read returns the newest value of an entry; see ports.DropletBox.
func (b *openBox) Read(ctx context.Context, key string) ([]byte, error) {
	value, err := b.service.readEntry(ctx, b.by, ReadEntry{Box: b.box, Key: key}, &b.key)
	return value.JSON, err
}

// Write writes a new version of an entry, and stores a reference to it in the droplet's record; see ports.DropletBox.
func (b *openBox) Write(ctx context.Context, key domain.EntryKey, value []byte, droplet domain.DropletID) error {
	_, err := b.service.writeEntry(ctx, b.by, WriteEntry{Box: b.box, Key: string(key), Value: value}, &b.key, droplet)
	return err
}

// Close overwrites the derived keys; see ports.DropletBox.
func (b *openBox) Close() { b.key.clear() }
