package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// capabilities are the Linux capabilities that root needs in a container with sshd:
//
//   - CHOWN, FOWNER, FSETID and DAC_OVERRIDE, to give files and terminals to users
//   - SETUID, SETGID and SYS_CHROOT, to switch to the user who signed in and to confine sshd's helper process
//   - KILL, to end the processes of that user
//   - NET_BIND_SERVICE, to listen on ports 22, 80 and 443
//   - AUDIT_WRITE, to log a sign-in in the kernel's audit log
//
// Docker's defaults also include MKNOD, NET_RAW, SETPCAP and SETFCAP; droplets do not get these four.
var capabilities = []string{"CHOWN", "FOWNER", "FSETID", "DAC_OVERRIDE", "SETUID", "SETGID", "SYS_CHROOT", "KILL",
	"NET_BIND_SERVICE", "AUDIT_WRITE"}

const (
	// maxProcesses stops a fork bomb in one droplet before it exhausts the host's process table.
	maxProcesses = 512
	// runOptions mount /run as a tmpfs, which is empty after each start. Its content counts as memory of the droplet.
	runOptions = "rw,nosuid,nodev,mode=755,size=64m"
	// logDriver is the engine's own driver for log files. Every engine has it.
	logDriver = "json-file"
	// logFiles is the number of files per log. When a file is full, the engine deletes the oldest file and begins a new
	// one.
	logFiles = 2
)

// Create creates a container and copies the authorized key into it; see ports.DropletHost. If copying the key fails,
// Create returns both the error and the identifier of the container, because the container already exists.
func (h *Host) Create(ctx context.Context, droplet ports.NewDroplet) (string, error) {
	exposed, bindings, err := portBindings(droplet.Ports)
	if err != nil {
		return "", err
	}
	options := client.ContainerCreateOptions{
		Config:     h.containerConfig(droplet, exposed),
		HostConfig: h.hostConfig(bindings),
		Name:       string(droplet.Name),
	}
	var made client.ContainerCreateResult
	err = h.call(ctx, answerTimeout, func(ctx context.Context) (err error) {
		made, err = h.engine.ContainerCreate(ctx, options)
		if err == nil && !isContainerID(made.ID) {
			return errNoID
		}
		return err
	})
	if err != nil {
		return "", err
	}
	err = h.call(ctx, answerTimeout, func(ctx context.Context) error {
		_, err := h.engine.CopyToContainer(ctx, made.ID, client.CopyToContainerOptions{
			DestinationPath: "/",
			Content:         authorizedKeys(droplet.AuthorizedKey),
		})
		return err
	})
	if errors.Is(err, domain.Conflict) {
		err = domain.HostRefused(err.Error()) // the conflict concerns the copy, not the name
	}
	return made.ID, err
}

// containerConfig returns the identity of the container: image, environment and the labels that List looks for.
func (h *Host) containerConfig(droplet ports.NewDroplet, exposed network.PortSet) *container.Config {
	env := make([]string, len(droplet.Env))
	for i, each := range droplet.Env {
		env[i] = string(each.Bytes())
	}
	return &container.Config{
		Hostname:     string(droplet.Name),
		Image:        droplet.Image,
		Env:          env,
		ExposedPorts: exposed,
		Labels: map[string]string{
			labelInstallation: h.config.Installation,
			labelBuild:        droplet.Build.String(),
		},
	}
}

// hostConfig isolates the droplet from the host: no mounts, no devices, no additional privileges, and limits on memory,
// processor time, processes and the log. The log needs a limit because sshd logs every sign-in attempt, and strangers
// can make any number of attempts.
func (h *Host) hostConfig(bindings network.PortMap) *container.HostConfig {
	processes := int64(maxProcesses)
	return &container.HostConfig{
		PortBindings:  bindings,
		RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyUnlessStopped},
		CapDrop:       []string{"ALL"},
		CapAdd:        capabilities,
		SecurityOpt:   []string{"no-new-privileges"},
		Tmpfs:         map[string]string{"/run": runOptions},
		LogConfig: container.LogConfig{
			Type: logDriver,
			Config: map[string]string{
				"max-file": strconv.Itoa(logFiles),
				"max-size": strconv.FormatInt(h.config.LogBytes/logFiles, 10),
			},
		},
		Resources: container.Resources{
			Memory:     h.config.Memory,
			MemorySwap: h.config.Memory,
			NanoCPUs:   h.config.NanoCPUs,
			PidsLimit:  &processes,
		},
	}
}

// portBindings returns the exposed ports and their bindings in the engine's form. An address that cannot be parsed is
// an error. If portBindings left the address out, the engine would publish the port on all interfaces.
func portBindings(published []domain.PublishedPort) (network.PortSet, network.PortMap, error) {
	exposed, bindings := network.PortSet{}, network.PortMap{}
	for _, each := range published {
		port, err := network.ParsePort(strconv.Itoa(each.Port) + "/" + each.Protocol)
		if err != nil {
			return nil, nil, fmt.Errorf("publish a droplet's port: %w", err)
		}
		var address netip.Addr // every interface
		if each.HostIP != "" {
			if address, err = netip.ParseAddr(each.HostIP); err != nil {
				return nil, nil, fmt.Errorf("publish a droplet's port: %w", err)
			}
		}
		exposed[port] = struct{}{}
		bindings[port] = []network.PortBinding{{HostIP: address, HostPort: strconv.Itoa(each.HostPort)}}
	}
	return exposed, bindings, nil
}

// authorizedKeys returns a tar archive with /root/.ssh/authorized_keys. The modes deny write access to other users,
// because sshd otherwise ignores the file.
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
		_ = writer.WriteHeader(&header) // cannot fail: it writes to memory and the size is correct
	}
	_, _ = writer.Write([]byte(line))
	_ = writer.Close()
	return &archive
}
