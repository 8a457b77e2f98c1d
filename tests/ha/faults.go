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
	// The field lasts is the time between inject and undo.
	lasts  time.Duration
	inject func(ctx context.Context, s status) error
	undo   func(ctx context.Context, s status) error
	// unfenced is set for faults in which the deposed primary still runs. Without fencing, it answers reads until it
	// notices that it was deposed.
	unfenced bool
}

func nothing(context.Context, status) error { return nil }

// faults returns the kinds of faults in the order in which a run repeats them. There are two kinds of partitions. In
// the first, nothing can reach the node. In the second, clients can reach the node, but its peers cannot.
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

// nextFault returns the fault number i, counted from 0. The two partitions take turns, so that each of the five kinds
// occurs equally often.
func nextFault(i int) fault {
	all := faults()
	kinds := len(all) - 1
	if i%kinds == kinds-1 && i/kinds%2 == 1 {
		return all[kinds]
	}
	return all[i%kinds]
}

// synchronous returns the synchronous standby, or another standby in asynchronous mode.
func (s status) synchronous() *node {
	if s.sync != nil {
		return s.sync
	}
	return s.async
}

// freeze stops all processes of the node, like a hypervisor that migrates or suspends a machine. The connections of the
// processes stay open, and the kernel still acknowledges the data that clients send.
func (n *node) freeze() error {
	return errors.Join(n.signalManagers(syscall.SIGSTOP), n.signalPostgres(syscall.SIGSTOP))
}

// thaw resumes the processes that freeze stopped. PostgreSQL resumes first. This order is the worst case, because the
// deposed primary then answers before Patroni learns of the new primary.
func (n *node) thaw() error {
	return errors.Join(n.signalPostgres(syscall.SIGCONT), n.signalManagers(syscall.SIGCONT))
}

// switchover moves the primary to a standby on request.
func switchover(ctx context.Context, s status) error {
	body := fmt.Sprintf(`{"leader":%q,"candidate":%q}`, s.primary.name, s.synchronous().name)
	code, answer, err := s.primary.api(ctx, http.MethodPost, "/switchover", body)
	if err == nil && code != http.StatusOK {
		err = fmt.Errorf("switchover: status %d: %s", code, answer)
	}
	return err
}
