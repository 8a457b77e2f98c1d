package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"syscall"
	"time"
)

// fault is one kind of fault. inject causes the fault and undo repairs it. Both functions receive the state of the
// cluster before the fault.
type fault struct {
	name string
	// The field lasts contains the time between the calls of inject and undo.
	lasts  time.Duration
	inject func(ctx context.Context, s status) error
	undo   func(ctx context.Context, s status) error
	// unfenced is set if the old primary still runs after the cluster has elected a new one. The old primary answers
	// reads until it notices that it was deposed.
	unfenced bool
}

func nothing(context.Context, status) error { return nil }

// faults returns the kinds of faults in the order in which a run injects them. The last two kinds are partitions. One
// separates the node from its clients and its peers. The other separates the node only from its peers.
func faults() []fault {
	return []fault{
		{
			name:   "kill primary",
			inject: func(_ context.Context, s status) error { return s.primary.signalPostgres(syscall.SIGKILL) },
			undo:   nothing,
		},
		{
			name:     "freeze primary",
			lasts:    14 * time.Second,
			inject:   func(_ context.Context, s status) error { return s.primary.freeze() },
			undo:     func(_ context.Context, s status) error { return s.primary.thaw() },
			unfenced: true,
		},
		{
			name:   "switchover",
			inject: switchover,
			undo:   nothing,
		},
		{
			name:   "kill standby",
			inject: func(_ context.Context, s status) error { return s.synchronous().signalPostgres(syscall.SIGKILL) },
			undo:   nothing,
		},
		{
			name:     "partition",
			lasts:    14 * time.Second,
			inject:   func(_ context.Context, s status) error { return s.primary.partition("client", "cluster") },
			undo:     func(_ context.Context, s status) error { return s.primary.heal("client", "cluster") },
			unfenced: true,
		},
		{
			name:     "partition from peers",
			lasts:    14 * time.Second,
			inject:   func(_ context.Context, s status) error { return s.primary.partition("cluster") },
			undo:     func(_ context.Context, s status) error { return s.primary.heal("cluster") },
			unfenced: true,
		},
	}
}

// nextFault returns the fault number i of a run. The first fault has number 0. The two kinds of partition alternate, so
// that partitions occur as often as each of the other four faults.
func nextFault(i int) fault {
	all := faults()
	kinds := len(all) - 1
	if i%kinds == kinds-1 && i/kinds%2 == 1 {
		return all[kinds]
	}
	return all[i%kinds]
}

// synchronous returns the synchronous standby. In asynchronous mode, it returns an asynchronous standby.
func (s status) synchronous() *node {
	if s.sync != nil {
		return s.sync
	}
	return s.async
}

// freeze suspends all processes of the node, like a hypervisor that suspends or migrates a machine. The connections of
// the processes stay open, and the kernel still acknowledges the data that clients send.
func (n *node) freeze() error {
	return errors.Join(n.signalManagers(syscall.SIGSTOP), n.signalPostgres(syscall.SIGSTOP))
}

// thaw resumes the processes that freeze suspended. PostgreSQL resumes before Patroni. This order is the worst case: a
// deposed primary answers clients before its Patroni learns of the new primary.
func (n *node) thaw() error {
	return errors.Join(n.signalPostgres(syscall.SIGCONT), n.signalManagers(syscall.SIGCONT))
}

// switchover requests a planned switchover: Patroni makes a standby the new primary.
func switchover(ctx context.Context, s status) error {
	body := fmt.Sprintf(`{"leader":%q,"candidate":%q}`, s.primary.name, s.synchronous().name)
	code, answer, err := s.primary.api(ctx, http.MethodPost, "/switchover", body)
	if err == nil && code != http.StatusOK {
		err = fmt.Errorf("switchover: status %d: %s", code, answer)
	}
	return err
}
