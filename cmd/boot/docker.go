package boot

import (
	"crypto/tls"
	"crypto/x509"
	"errors"

	"github.com/lockbox-go/lockbox/adapters/docker"
)

const (
	// minDropletMemory is the smallest memory limit that Docker accepts.
	minDropletMemory ByteSize = 6 << 20
	// minDropletCPUs is the smallest CPU limit that Docker accepts. maxDropletCPUs exceeds the number of CPUs of any
	// host.
	minDropletCPUs = 0.01
	maxDropletCPUs = 1024
	// minDropletLog is enough for the last messages that a failing program prints.
	minDropletLog ByteSize = 64 << 10
)

// checkDroplets checks the settings of droplets. It returns one error with all mistakes.
func (c Config) checkDroplets() error {
	var mistakes []error
	if c.DropletMemory < minDropletMemory {
		mistakes = append(mistakes, mistake("DROPLET_MEMORY", "must be a size of 6m or more, such as 512m or 2g"))
	}
	if !(c.DropletCPUs >= minDropletCPUs && c.DropletCPUs <= maxDropletCPUs) { // also false for NaN
		mistakes = append(mistakes, mistake("DROPLET_CPUS", "must be from 0.01 to 1024"))
	}
	if c.DropletLog < minDropletLog {
		mistakes = append(mistakes, mistake("DROPLET_LOG_SIZE", "must be a size of 64k or more, such as 10m"))
	}
	// Without a Docker host, droplets are off, and the checks below do not apply.
	if c.DockerHost.IsZero() {
		return errors.Join(mistakes...)
	}
	switch {
	case c.DockerHost.isSocket() && c.hasDockerTLS():
		mistakes = append(mistakes,
			mistake("DOCKER_HOST", "is a local socket, which does not use TLS: "+
				"unset all variables LOCKBOX_DOCKER_TLS_…"))
	case !c.DockerHost.isLocal() && !c.hasDockerTLS():
		mistakes = append(mistakes, mistake("DOCKER_HOST",
			"is on another machine, and without TLS everyone on the network path could become root on that machine: "+
				"set LOCKBOX_DOCKER_TLS_CA_FILE, LOCKBOX_DOCKER_TLS_CERT_FILE and LOCKBOX_DOCKER_TLS_KEY_FILE"))
	}
	if len(c.DropletImages) == 0 {
		mistakes = append(mistakes,
			mistake("DROPLET_IMAGES", "must name at least one image when LOCKBOX_DOCKER_HOST is set"))
	}
	return errors.Join(mistakes...)
}

// hasDockerTLS reports whether any TLS setting is set.
func (c Config) hasDockerTLS() bool {
	return c.DockerTLSCA != "" || c.DockerTLSCert != "" || len(c.DockerTLSKey.Bytes()) > 0
}

// dockerTLS returns the TLS configuration of the Docker client, or nil if no TLS setting is set. With this
// configuration, the client accepts only a certificate that names the host in the address and is signed by the
// configured CA.
func (c *Config) dockerTLS() (*tls.Config, error) {
	if !c.hasDockerTLS() {
		return nil, nil
	}
	if c.DockerTLSCA == "" || c.DockerTLSCert == "" || len(c.DockerTLSKey.Bytes()) == 0 {
		return nil, mistake("DOCKER_TLS_CA",
			"must be set together with LOCKBOX_DOCKER_TLS_CERT and LOCKBOX_DOCKER_TLS_KEY: set all three or none")
	}
	// The CA that the operator configured signs the engine's certificate, so do not trust the system's CAs.
	trusted := x509.NewCertPool()
	if !trusted.AppendCertsFromPEM([]byte(c.DockerTLSCA)) {
		return nil, mistake("DOCKER_TLS_CA", "is not a certificate in PEM format")
	}
	own, err := tls.X509KeyPair([]byte(c.DockerTLSCert), c.DockerTLSKey.Bytes())
	if err != nil {
		return nil, mistake("DOCKER_TLS_CA", "requires a client certificate: "+
			"LOCKBOX_DOCKER_TLS_CERT and LOCKBOX_DOCKER_TLS_KEY are not a matching pair in PEM format: "+
			err.Error())
	}
	return &tls.Config{
		RootCAs:      trusted,
		Certificates: []tls.Certificate{own},
		ServerName:   c.DockerHost.host,
		MinVersion:   tls.VersionTLS12,
	}, nil
}

// dropletHost returns the client of the configured Docker host. It opens no connection.
func (c *core) dropletHost() (*docker.Host, error) {
	host, err := docker.New(docker.Config{
		Address:      c.config.DockerHost.address,
		TLS:          c.config.derived.dockerTLS,
		Installation: c.installation.String(),
		Prefix:       c.config.DropletPrefix,
		Memory:       int64(c.config.DropletMemory),
		LogBytes:     int64(c.config.DropletLog),
		// Docker counts CPUs in billionths of a core.
		NanoCPUs: int64(c.config.DropletCPUs * 1e9),
	})
	if err != nil {
		return nil, mistake("DOCKER_HOST", "cannot be used: "+err.Error())
	}
	return host, nil
}
