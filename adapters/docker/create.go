package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/go-connections/nat"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// capabilities are what a small server with sshd needs as root within its container: to give files and terminals to users
// (CHOWN, FOWNER, FSETID, DAC_OVERRIDE), to become the user who signed in and to shut sshd's helper in (SETUID, SETGID,
// SYS_CHROOT), to end that user's programs (KILL), to listen on ports 22, 80 and 443 (NET_BIND_SERVICE), and to note a
// sign-in where the kernel keeps a record (AUDIT_WRITE). Of what Docker gives by default, making devices (MKNOD), raw
// packets (NET_RAW) and handing capabilities on (SETPCAP, SETFCAP) are missing.
var capabilities = []string{"CHOWN", "FOWNER", "FSETID", "DAC_OVERRIDE", "SETUID", "SETGID", "SYS_CHROOT", "KILL",
	"NET_BIND_SERVICE", "AUDIT_WRITE"}

const (
	maxProcesses = 512
	// runOptions are of the folder /run, which is empty after each start. It counts as memory of the droplet.
	runOptions = "rw,nosuid,nodev,mode=755,size=64m"
)

// Create makes a container with the authorized key in place; see ports.DropletHost. Where the key cannot be put in, the
// container is there all the same, and its identifier comes back with the error.
func (h *Host) Create(ctx context.Context, droplet ports.NewDroplet) (string, error) {
	var made container.CreateResponse
	err := h.ask(ctx, answerPatience, func(ctx context.Context) (err error) {
		made, err = h.engine.ContainerCreate(ctx, h.containerConfig(droplet), h.hostConfig(droplet), nil, nil,
			string(droplet.Name))
		return err
	})
	if err != nil {
		return "", err
	}
	err = h.ask(ctx, answerPatience, func(ctx context.Context) error {
		return h.engine.CopyToContainer(ctx, made.ID, "/", authorizedKeys(droplet.AuthorizedKey),
			container.CopyToContainerOptions{})
	})
	if errors.Is(err, domain.Conflict) {
		err = domain.HostRefused(err.Error()) // about the container itself, and not its name
	}
	return made.ID, err
}

func (h *Host) containerConfig(droplet ports.NewDroplet) *container.Config {
	env := make([]string, len(droplet.Env))
	for i, each := range droplet.Env {
		env[i] = string(each.Bytes())
	}
	exposed := nat.PortSet{}
	for _, port := range droplet.Ports {
		exposed[portOf(port)] = struct{}{}
	}
	return &container.Config{
		Hostname:     string(droplet.Name),
		Image:        droplet.Image,
		Env:          env,
		ExposedPorts: exposed,
		Labels:       map[string]string{labelInstallation: h.config.Installation, labelMade: droplet.Made.String()},
	}
}

// hostConfig gives a droplet what a small server needs and no way to the host: no mounts, no devices, no privileges.
func (h *Host) hostConfig(droplet ports.NewDroplet) *container.HostConfig {
	bindings := nat.PortMap{}
	for _, port := range droplet.Ports {
		bindings[portOf(port)] = []nat.PortBinding{{HostIP: port.HostIP, HostPort: strconv.Itoa(port.HostPort)}}
	}
	processes := int64(maxProcesses)
	return &container.HostConfig{
		PortBindings:  bindings,
		RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyUnlessStopped},
		CapDrop:       []string{"ALL"},
		CapAdd:        capabilities,
		SecurityOpt:   []string{"no-new-privileges"},
		Tmpfs:         map[string]string{"/run": runOptions},
		Resources: container.Resources{
			Memory:     h.config.Memory,
			MemorySwap: h.config.Memory,
			NanoCPUs:   h.config.NanoCPUs,
			PidsLimit:  &processes,
		},
	}
}

func portOf(port domain.PublishedPort) nat.Port {
	return nat.Port(strconv.Itoa(port.Port) + "/" + port.Protocol)
}

// authorizedKeys is a tar with /root/.ssh/authorized_keys, which sshd reads only where nobody else may write to it.
func authorizedKeys(line string) *bytes.Buffer {
	var archive bytes.Buffer
	writer := tar.NewWriter(&archive)
	now := time.Now()
	for _, header := range []tar.Header{
		{Typeflag: tar.TypeDir, Name: "root/", Mode: 0o700},
		{Typeflag: tar.TypeDir, Name: "root/.ssh/", Mode: 0o700},
		{
			Typeflag: tar.TypeReg,
			Name:     "root/.ssh/authorized_keys",
			Mode:     0o600,
			Size:     int64(len(line)),
		},
	} {
		header.ModTime = now
		_ = writer.WriteHeader(&header) // into memory, and the sizes are right
	}
	_, _ = writer.Write([]byte(line))
	_ = writer.Close()
	return &archive
}
