package kdf

import "github.com/lockbox-go/lockbox/ports"

// Stats describes the load of a pool. The counters start at zero in New.
type Stats struct {
	// Running is the number of key derivations that run now.
	Running int
	// HeldKiB is the memory that is reserved for the running key derivations, in KiB.
	HeldKiB uint64
	// Passwords and Entries are the statistics of the two workloads.
	Passwords, Entries WorkloadStats
}

// WorkloadStats describes the load of one workload.
type WorkloadStats struct {
	// Waiting is the number of key derivations in the queue now.
	Waiting int
	// Done is the number of completed key derivations.
	Done uint64
	// Refused is the number of key derivations that failed with domain.ErrBusy, because the queue was full or the
	// request ended while its key derivation was waiting.
	Refused uint64
}

// Stats returns a consistent snapshot of the statistics.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	of := func(use ports.Workload) WorkloadStats {
		return WorkloadStats{Waiting: len(p.queues[use]), Done: p.done[use], Refused: p.refused[use]}
	}
	return Stats{
		Running:   p.running,
		HeldKiB:   p.heldKiB,
		Passwords: of(ports.PasswordWork),
		Entries:   of(ports.EntryWork),
	}
}
