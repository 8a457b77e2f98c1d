package boot

import (
	"context"
	"log/slog"
	"time"

	"github.com/lockbox-go/lockbox/ports"
)

const (
	sweepPause = time.Minute
	// sweepBatch rows go in one statement, so that nobody waits long for their locks.
	sweepBatch = 500
)

// sweep removes what has had its time. Replicas may all do so: a row goes once.
func (a *App) sweep(ctx context.Context, janitor ports.Janitor) {
	every(ctx, sweepPause, func() {
		now := time.Now().UTC()
		a.sweepAll(ctx, "ended sessions", now, janitor.DeleteEndedSessions)
		a.sweepAll(ctx, "deleted entries", now.Add(-a.config.DeletedEntryRetention), janitor.DeleteRemovedEntries)
		if a.config.EventRetention > 0 {
			a.sweepAll(ctx, "old events", now.Add(-a.config.EventRetention), janitor.DeleteOldEvents)
		}
	})
}

func (a *App) sweepAll(ctx context.Context, what string, before time.Time, remove func(context.Context, time.Time, int) (int, error)) {
	for total := 0; ; {
		removed, err := remove(ctx, before, sweepBatch)
		if err != nil {
			if ctx.Err() == nil {
				a.log.Warn("sweeping failed and is tried again later", slog.String("what", what), slog.Any("error", err))
			}
			return
		}
		total += removed
		if removed < sweepBatch {
			if total > 0 {
				a.log.Info("swept", slog.String("what", what), slog.Int("count", total))
			}
			return
		}
	}
}
