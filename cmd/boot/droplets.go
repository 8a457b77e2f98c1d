package boot

import (
	"context"

	"github.com/lockbox-go/lockbox/adapters/sshkeys"
	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/droplets"
	"github.com/lockbox-go/lockbox/domain/vault"
	"github.com/lockbox-go/lockbox/ports"
)

// droplets makes the use cases of droplets over what is open. The host need not answer yet.
func (c *core) droplets(events ports.EventWriter, boxes *vault.Service) (*droplets.Service, error) {
	config := droplets.Config{
		Store:     c.store,
		Events:    events,
		Vault:     dropletVault{boxes},
		NewSSHKey: sshkeys.New,
		Clock:     c.clock,
		IDs:       c.ids,
		Prefix:    c.config.DropletPrefix,
		Images:    c.config.DropletImages,
	}
	if c.config.DockerHost.IsZero() {
		return droplets.New(config), nil
	}
	host, err := c.dropletHost()
	if err != nil {
		return nil, err
	}
	config.Host, c.engine = host, host
	return droplets.New(config), nil
}

// dropletVault is what droplets need of boxes, by the use cases of boxes.
type dropletVault struct{ boxes *vault.Service }

func (v dropletVault) Authorize(ctx context.Context, by domain.Requester, box string, wanted domain.Permissions) error {
	return v.boxes.Authorize(ctx, by, vault.Authorize{Box: box, Wanted: wanted, Action: domain.ActionAddDroplet})
}

func (v dropletVault) Read(ctx context.Context, by domain.Requester, at ports.EntryAddress) ([]byte, error) {
	value, err := v.boxes.ReadEntry(ctx, by, vault.ReadEntry{Box: at.Box, Key: at.Key, EncryptionKey: at.EncryptionKey})
	return value.JSON, err
}

func (v dropletVault) Write(ctx context.Context, by domain.Requester, at ports.EntryAddress, value []byte,
	note func(ctx context.Context, repos ports.Repos, entry domain.Entry) error) error {
	_, err := v.boxes.WriteEntry(ctx, by, vault.WriteEntry{
		Box:           at.Box,
		Key:           at.Key,
		Value:         value,
		EncryptionKey: at.EncryptionKey,
		Note:          note,
	})
	return err
}

func (v dropletVault) DeleteUnchanged(ctx context.Context, by domain.Requester, record domain.DropletRecord) error {
	return v.boxes.DeleteUnchanged(ctx, by, vault.DeleteUnchanged{
		Box:     record.Box,
		BoxName: record.BoxName,
		Key:     record.Key,
		Version: record.Version,
	})
}
