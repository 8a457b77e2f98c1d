package boot

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"

	"github.com/docker/go-units"

	"github.com/lockbox-go/lockbox/adapters/docker"
	"github.com/lockbox-go/lockbox/adapters/sshkeys"
	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/droplets"
	"github.com/lockbox-go/lockbox/domain/vault"
	"github.com/lockbox-go/lockbox/ports"
)

const (
	// minDropletMemory is the smallest memory limit that Docker accepts.
	minDropletMemory = 6 << 20
	// minDropletCPUs is the smallest CPU limit that Docker accepts, maxDropletCPUs more than any host has.
	minDropletCPUs = 0.01
	maxDropletCPUs = 1024
)

// checkDroplets returns the errors in the settings of droplets, joined.
func (c Config) checkDroplets() error {
	var mistakes []error
	if _, err := domain.ParseDropletPrefix(c.DropletPrefix); err != nil {
		mistakes = append(mistakes, mistake("DROPLET_PREFIX", err.Error()))
	}
	if memory, err := units.RAMInBytes(c.DropletMemory); err != nil || memory < minDropletMemory {
		mistakes = append(mistakes, mistake("DROPLET_MEMORY", "must be a size of 6m or more, such as 512m or 2g"))
	}
	if !(c.DropletCPUs >= minDropletCPUs && c.DropletCPUs <= maxDropletCPUs) {
		mistakes = append(mistakes, mistake("DROPLET_CPUS", "must be from 0.01 to 1024"))
	}
	if c.DockerHost != "" {
		if err := c.checkDockerHost(); err != nil {
			mistakes = append(mistakes, mistake("DOCKER_HOST", err.Error()))
		}
		if len(c.DropletImages) == 0 {
			mistakes = append(mistakes,
				mistake("DROPLET_IMAGES", "must name at least one image where LOCKBOX_DOCKER_HOST is set"))
		}
	}
	if c.hasDockerTLS() {
		if _, err := c.dockerTLS(""); err != nil {
			mistakes = append(mistakes, mistake("DOCKER_TLS_CA", err.Error()))
		}
	}
	return errors.Join(mistakes...)
}

var errDockerHost = errors.New("must be unix:///var/run/docker.sock or tcp://host:2376")

// checkDockerHost refuses plain TCP to another machine: everyone on the network path could become root on the host.
func (c Config) checkDockerHost() error {
	address, err := url.Parse(c.DockerHost)
	if err != nil {
		return errDockerHost
	}
	switch {
	case address.Scheme == "unix" && address.Host == "" && filepath.IsAbs(address.Path):
		if c.hasDockerTLS() {
			return errors.New("is a local socket, which does not use TLS: unset LOCKBOX_DOCKER_TLS_…")
		}
		return nil
	case address.Scheme != "tcp" || address.Hostname() == "" || address.Port() == "" || address.Path != "" ||
		address.User != nil:
		return errDockerHost
	case c.hasDockerTLS():
		return nil
	}
	if ip := net.ParseIP(address.Hostname()); address.Hostname() == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return errors.New("is on another machine, and without TLS everyone on the network path could become root there: " +
		"set LOCKBOX_DOCKER_TLS_CA_FILE, LOCKBOX_DOCKER_TLS_CERT_FILE and LOCKBOX_DOCKER_TLS_KEY_FILE")
}

// hasDockerTLS reports whether any TLS setting is set.
func (c Config) hasDockerTLS() bool {
	return c.DockerTLSCA != "" || c.DockerTLSCert != "" || len(c.DockerTLSKey.Bytes()) > 0
}

// dockerTLS returns the TLS configuration of the Docker client, which verifies the server against the CA and the name
// in the address; nil when TLS is not configured.
func (c Config) dockerTLS(server string) (*tls.Config, error) {
	if !c.hasDockerTLS() {
		return nil, nil
	}
	if c.DockerTLSCA == "" || c.DockerTLSCert == "" || len(c.DockerTLSKey.Bytes()) == 0 {
		return nil, errors.New(
			"and LOCKBOX_DOCKER_TLS_CERT and LOCKBOX_DOCKER_TLS_KEY must be set together, or none of them")
	}
	trusted := x509.NewCertPool()
	if !trusted.AppendCertsFromPEM([]byte(c.DockerTLSCA)) {
		return nil, errors.New("is not a certificate in PEM format")
	}
	own, err := tls.X509KeyPair([]byte(c.DockerTLSCert), c.DockerTLSKey.Bytes())
	if err != nil {
		return nil, fmt.Errorf("is set, but LOCKBOX_DOCKER_TLS_CERT and LOCKBOX_DOCKER_TLS_KEY are not a "+
			"certificate and its key in PEM format: %w", err)
	}
	return &tls.Config{
		RootCAs:      trusted,
		Certificates: []tls.Certificate{own},
		ServerName:   server,
		MinVersion:   tls.VersionTLS12,
	}, nil
}

// droplets returns the use cases of droplets. The host need not answer yet.
func (c *core) droplets(events ports.EventWriter, boxes *vault.Service) (*droplets.Service, error) {
	config := droplets.Config{
		Gate:      c.gate(events),
		Store:     c.store,
		Vault:     boxes,
		NewSSHKey: sshkeys.New,
		Clock:     c.clock,
		IDs:       c.ids,
		Prefix:    domain.DropletPrefix(c.config.DropletPrefix),
		Images:    c.config.DropletImages,
	}
	if c.config.DockerHost == "" {
		return droplets.New(config), nil
	}
	host, err := c.dropletHost()
	if err != nil {
		return nil, mistake("DOCKER_HOST", err.Error())
	}
	config.Host, c.engine = host, host
	return droplets.New(config), nil
}

// dropletHost returns the client of the configured Docker host. It opens no connection.
func (c *core) dropletHost() (*docker.Host, error) {
	address, err := url.Parse(c.config.DockerHost)
	if err != nil {
		return nil, errDockerHost
	}
	encrypted, err := c.config.dockerTLS(address.Hostname())
	if err != nil {
		return nil, err
	}
	memory, err := units.RAMInBytes(c.config.DropletMemory)
	if err != nil {
		return nil, err
	}
	return docker.New(docker.Config{
		Address:      c.config.DockerHost,
		TLS:          encrypted,
		Installation: c.installation,
		Prefix:       domain.DropletPrefix(c.config.DropletPrefix),
		Memory:       memory,
		NanoCPUs:     int64(c.config.DropletCPUs * 1e9),
	})
}
