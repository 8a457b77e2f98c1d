package boot

import (
	"github.com/lockbox-go/lockbox/adapters/sshkeys"
	"github.com/lockbox-go/lockbox/domain/droplets"
	"github.com/lockbox-go/lockbox/domain/vault"
	"github.com/lockbox-go/lockbox/ports"
)

// droplets returns the use cases of droplets. It does not connect to the Docker host, so the host may still be
// starting.
func (c *core) droplets(events ports.EventWriter, boxes *vault.Service) (*droplets.Service, error) {
	config := droplets.Config{
		Gate:      c.gate(events),
		Store:     c.store,
		Vault:     boxes,
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
