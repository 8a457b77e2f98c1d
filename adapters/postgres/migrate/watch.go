package migrate

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lockbox-go/lockbox/adapters/postgres/sqlstate"
)

// errHung means that the server stopped answering during a migration.
var errHung = errors.New("the database server does not answer; " +
	"the migration was stopped, and the database server will roll back its changes")

const (
	// watchInterval is the time between two checks of the server during a migration.
	watchInterval = 5 * time.Second
	// maxUnanswered is the number of consecutive failed checks after which the migration is stopped. Each check may
	// take as long as the connect timeout.
	maxUnanswered = 3
)

// watch returns a context that ends with the cause errHung when the server no longer answers new connections. A
// statement of a migration may take hours, so its duration does not show whether the server is alive. The returned
// function, stop, ends the watch and waits until the goroutine of the watch has ended.
func (m *Migrator) watch(ctx context.Context) (watched context.Context, stop func()) {
	watched, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for unanswered := 0; pause(watched, m.watchInterval); {
			if m.answers(watched) {
				unanswered = 0
			} else if unanswered++; unanswered == maxUnanswered {
				cancel(errHung)
				return
			}
		}
	}()
	return watched, func() {
		cancel(nil)
		<-done
	}
}

// answers reports whether the server answers a new connection. If the server refuses the connection, answers also
// returns true, because such a server is not hung.
func (m *Migrator) answers(ctx context.Context) bool {
	conn, err := pgx.ConnectConfig(ctx, m.config)
	if err != nil {
		return sqlstate.Of(err) != ""
	}
	closing, cancel := context.WithTimeout(ctx, m.config.ConnectTimeout)
	defer cancel()
	_ = conn.Close(closing) // only the answer matters
	return true
}
