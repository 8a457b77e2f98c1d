package kdf

import "github.com/lockbox-go/lockbox/ports"

// Stats is what the pool is doing, and has done since it was made.
type Stats struct {
	// Running is how many derivations are at work; HeldKiB the memory counted for them.
	Running int
	HeldKiB uint64
	// Passwords and Entries are the two workloads.
	Passwords, Entries WorkloadStats
}

// WorkloadStats is one workload's part of Stats.
type WorkloadStats struct {
	// Waiting is how many wait for their turn now.
	Waiting int
	// Done counts derivations that were finished.
	Done uint64
	// Refused counts those that were turned away with busy: the queue was full, or the request ended first.
	Refused uint64
}

// Stats returns the figures of this moment.
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
