package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// Each node of the cluster has two links. Clients, such as Lockbox, use the first network. The nodes use the second
// network for replication and for etcd. A partition of the second network separates a node from its peers, but clients
// still reach the node.
const (
	clientNet  = "10.77.1."
	clusterNet = "10.77.2."
	// Lockbox runs in a network namespace of its own. routerHost is the last byte of the addresses of that namespace.
	routerHost = 1
	// firstNodeHost is the last byte of the first node's addresses. The addresses of the other nodes follow.
	firstNodeHost = 11
)

// The function named inside runs this program again, in separate network and process namespaces. The run can then
// create network interfaces and stop processes without affecting the machine. When the run ends for any reason, the
// kernel ends all its processes.
func inside(ctx context.Context, args []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	// The shell is process 1 of the namespace. It reaps orphans, such as a postmaster whose Patroni was killed.
	unshare := append([]string{"--net", "--pid", "--fork", "--mount", "--mount-proc", "--kill-child",
		"sh", "-c", `"$0" "$@"; exit $?`, self}, args...)
	command := exec.CommandContext(ctx, "unshare", unshare...)
	command.Env = append(os.Environ(), insideVariable+"=1")
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return command.Run()
}

// network holds the two networks of a run.
type network struct{ nodes []*namespace }

// namespace is the network namespace of one node. The process named holder only sleeps: the kernel keeps the namespace
// as long as this process runs.
type namespace struct {
	index  int
	holder *exec.Cmd
}

// newNetwork creates the two networks with the given number of nodes.
func newNetwork(nodes int) (*network, error) {
	n := &network{}
	commands := []string{"ip link set lo up"}
	for _, bridge := range []struct{ name, net string }{{"client", clientNet}, {"cluster", clusterNet}} {
		commands = append(commands,
			"ip link add br-"+bridge.name+" type bridge",
			fmt.Sprintf("ip address add %s%d/24 dev br-%s", bridge.net, routerHost, bridge.name),
			"ip link set br-"+bridge.name+" up")
	}
	if err := runAll(commands); err != nil {
		return nil, err
	}
	for i := range nodes {
		space, err := newNamespace(i)
		if err != nil {
			return nil, err
		}
		n.nodes = append(n.nodes, space)
	}
	return n, nil
}

// newNamespace creates the namespace of a node and connects it to both networks.
func newNamespace(index int) (*namespace, error) {
	s := &namespace{index: index, holder: exec.Command("sleep", "infinity")}
	s.holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if err := s.holder.Start(); err != nil {
		return nil, err
	}
	enter := strings.Join(s.enter(), " ") + " "
	commands := []string{enter + "ip link set lo up"}
	for _, bridge := range []string{"client", "cluster"} {
		address := s.clientAddress()
		if bridge == "cluster" {
			address = s.clusterAddress()
		}
		outer := s.link(bridge)
		commands = append(commands,
			fmt.Sprintf("ip link add %s type veth peer name %s netns %d", outer, bridge, s.holder.Process.Pid),
			fmt.Sprintf("ip link set %s master br-%s up", outer, bridge),
			fmt.Sprintf("%sip address add %s/24 dev %s", enter, address, bridge),
			fmt.Sprintf("%sip link set %s up", enter, bridge))
	}
	return s, runAll(commands)
}

// enter returns the first words of a command line. A command that follows them runs in the namespace.
func (s *namespace) enter() []string {
	return []string{"nsenter", fmt.Sprintf("--net=/proc/%d/ns/net", s.holder.Process.Pid)}
}

func (s *namespace) clientAddress() string  { return fmt.Sprint(clientNet, firstNodeHost+s.index) }
func (s *namespace) clusterAddress() string { return fmt.Sprint(clusterNet, firstNodeHost+s.index) }

// link returns the name of a link's network interface outside the namespace.
func (s *namespace) link(bridge string) string { return fmt.Sprintf("%s%d", bridge, s.index) }

// partition cuts the node off from the given networks. All packets are silently discarded, as with a broken cable.
func (s *namespace) partition(bridges ...string) error { return s.setLinks("down", bridges) }

// heal undoes partition.
func (s *namespace) heal(bridges ...string) error { return s.setLinks("up", bridges) }

func (s *namespace) setLinks(state string, bridges []string) error {
	var commands []string
	for _, bridge := range bridges {
		commands = append(commands, "ip link set "+s.link(bridge)+" "+state)
	}
	return runAll(commands)
}

// runAll runs command lines and stops at the first failure. It splits each line at spaces, without a shell.
func runAll(commands []string) error {
	for _, line := range commands {
		words := strings.Fields(line)
		if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", line, err, out)
		}
	}
	return nil
}
