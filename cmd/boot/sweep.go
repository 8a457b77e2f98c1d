package boot

import (
	"context"
	"log/slog"
	"time"

	"github.com/lockbox-go/lockbox/ports"
)

const (
	sweepPause = time.Minute
	// sweepBatch rows go in one statement, so that nobody waits long for their locks. Of entries fewer do: each may
	// have many versions, and large ones.
	sweepBatch      = 500
	sweepEntryBatch = 20
	// endedKeyRetention is how long an expired API key is still listed.
	endedKeyRetention = 30 * 24 * time.Hour
)

// sweep removes what has had its time. Replicas may all do so: a row goes once.
func (a *App) sweep(ctx context.Context, janitor ports.Janitor) {
	every(ctx, sweepPause, func() {
		now := time.Now().UTC()
		a.sweepAll(ctx, "ended sessions", now, sweepBatch, janitor.DeleteEndedSessions)
		a.sweepAll(ctx, "ended tokens", now, sweepBatch, janitor.DeleteEndedFamilies)
		a.sweepAll(ctx, "old attempts", now, sweepBatch, janitor.DeleteOldAttempts)
		a.sweepAll(ctx, "known addresses", now, sweepBatch, janitor.DeleteKnownAddresses)
		a.sweepAll(ctx, "ended API keys", now.Add(-endedKeyRetention), sweepBatch, janitor.DeleteEndedAPIKeys)
		a.sweepAll(ctx, "deleted entries", now.Add(-a.config.DeletedEntryRetention), sweepEntryBatch,
			janitor.DeleteRemovedEntries)
		if a.config.EventRetention > 0 {
			a.sweepAll(ctx, "old events", now.Add(-a.config.EventRetention), sweepBatch, janitor.DeleteOldEvents)
		}
	})
}

func (a *App) sweepAll(ctx context.Context, what string, before time.Time, batch int,
	remove func(context.Context, time.Time, int) (int, error)) {
	for total := 0; ; {
		removed, err := remove(ctx, before, batch)
		if err != nil {
			if ctx.Err() == nil {
				a.log.Warn("sweeping failed and is tried again later", slog.String("what", what),
					slog.Any("error", err))
			}
			return
		}
		total += removed
		if removed < batch {
			if total > 0 {
				a.log.Info("swept", slog.String("what", what), slog.Int("count", total))
			}
			return
		}
	}
}
