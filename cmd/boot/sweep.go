package boot

import (
	"context"
	"log/slog"
	"time"

	"github.com/lockbox-go/lockbox/ports"
)

const (
	sweepInterval = time.Minute
	// sweepBatch is how many rows one statement deletes. A small batch holds its locks briefly.
	sweepBatch = 500
	// sweepEventBatch is higher, because no other statement locks an event.
	sweepEventBatch = 2000
	// sweepTime bounds the deletion of one kind of rows in one sweep, so that the others are not delayed. The next
	// sweep continues.
	sweepTime = 20 * time.Second
	// sweepEntryBatch is lower, because an entry may have many large versions.
	sweepEntryBatch = 20
	// expiredKeyRetention is how long an expired API key is still listed, so that its user sees why it stopped working.
	expiredKeyRetention = 30 * 24 * time.Hour
	// oldKeyringRetention is how long every keyring of a box is kept. The newest ones are kept regardless of age; see
	// domain.KeptKeyrings.
	oldKeyringRetention = 30 * 24 * time.Hour
)

// sweep deletes expired rows every minute until ctx ends. All servers of an installation sweep. If two servers find the
// same row, it is deleted once.
func (a *App) sweep(ctx context.Context, janitor ports.Janitor) {
	a.measureEventLog(ctx, janitor)
	every(ctx, sweepInterval, func() {
		now := time.Now().UTC()
		a.sweepRows(ctx, "expired sessions", now, sweepBatch, janitor.DeleteEndedSessions)
		a.sweepRows(ctx, "expired tokens", now, sweepBatch, janitor.DeleteEndedFamilies)
		a.sweepRows(ctx, "old attempts", now, sweepBatch, janitor.DeleteOldAttempts)
		a.sweepRows(ctx, "known addresses", now, sweepBatch, janitor.DeleteKnownAddresses)
		a.sweepRows(ctx, "expired API keys", now.Add(-expiredKeyRetention), sweepBatch, janitor.DeleteEndedAPIKeys)
		a.sweepRows(ctx, "expired invitations", now, sweepBatch, janitor.DeleteEndedInvitations)
		a.sweepRows(ctx, "deleted entries", now.Add(-a.config.DeletedEntryRetention), sweepEntryBatch,
			janitor.DeleteRemovedEntries)
		a.sweepRows(ctx, "old keyrings", now.Add(-oldKeyringRetention), sweepBatch, janitor.DeleteOldKeyrings)
		if a.config.EventRetention > 0 { // 0 keeps them permanently
			a.sweepRows(ctx, "old audit events", now.Add(-a.config.EventRetention), sweepEventBatch,
				janitor.DeleteOldEvents)
		}
		a.measureEventLog(ctx, janitor)
	})
}

// measureEventLog updates the metric of the size of the audit log. The metrics are read without a database, so that
// requests for them cost it nothing.
func (a *App) measureEventLog(ctx context.Context, janitor ports.Janitor) {
	if _, err := janitor.EventLogSize(ctx); err != nil && ctx.Err() == nil {
		a.log.Warn("measuring the audit log failed; its metric is out of date", slog.Any("error", err))
	}
}

// sweepRows calls remove in batches until no rows from before the given time are left, or for sweepTime. It logs an
// error, and the next sweep tries again.
func (a *App) sweepRows(ctx context.Context, what string, before time.Time, batch int,
	remove func(context.Context, time.Time, int) (int, error)) {
	started := time.Now()
	for total := 0; ; {
		removed, err := remove(ctx, before, batch)
		if err != nil {
			if ctx.Err() == nil {
				a.log.Warn("deleting expired rows failed; the next sweep tries again", slog.String("what", what),
					slog.Any("error", err))
			}
			return
		}
		total += removed
		// After a full batch, more rows may remain.
		if removed < batch || time.Since(started) > sweepTime {
			if total > 0 {
				a.log.Info("deleted expired rows", slog.String("what", what), slog.Int("count", total))
			}
			return
		}
	}
}
