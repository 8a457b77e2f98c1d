package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lockbox-go/lockbox/adapters/postgres/connect"
	"github.com/lockbox-go/lockbox/adapters/postgres/sqlstate"
)

// connector opens, checks and replaces the connections of a pool. It checks a new connection with one statement; see
// check. It is safe for concurrent use.
type connector struct {
	log   *slog.Logger
	conns openConns
	// timeline is the highest timeline that a connection has reported, or 0 before the first report.
	timeline atomic.Uint32
	// discard closes the idle connections of the pool. The pool closes the other connections when they are released.
	discard func()
	// replaced counts how often a dead connection was the reason for a call of discard. discarded is the time of the
	// last of these calls, in nanoseconds since 1970.
	discarded, replaced atomic.Int64
	// full is the last error of a server that refused a connection because too many were open.
	full atomic.Pointer[fullServer]
	// diskFull is true after the server has refused a write because its disk was full; see Store.Probe.
	diskFull atomic.Bool
}

// fullServer is an error with code sqlstate.TooManyConnections, and the time at which it occurred.
type fullServer struct {
	at  time.Time
	err error
}

const (
	// discardInterval is the minimum time from one replacement of the idle connections to the next; see replaceIdle.
	discardInterval = 2 * time.Second
	// If the server refuses a connection because too many are open, the pool opens no connection for fullInterval.
	fullInterval = time.Second
)

// configure sets the hooks of a pool. The field discard must be set before the pool connects.
func (c *connector) configure(settings *pgxpool.Config) {
	validate := settings.ConnConfig.ValidateConnect // checks target_session_attrs
	settings.ConnConfig.ValidateConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		if validate != nil {
			if err := validate(ctx, conn); err != nil {
				return err
			}
		}
		return c.check(ctx, conn)
	}
	onError := settings.ConnConfig.OnPgError // decides which errors end the connection
	settings.ConnConfig.OnPgError = func(conn *pgconn.PgConn, err *pgconn.PgError) bool {
		if err.Code == sqlstate.DiskFull {
			c.diskFull.Store(true)
		}
		return onError(conn, err)
	}
	settings.ConnConfig.OnNotice = onNotice
	settings.ConnConfig.BuildContextWatcherHandler = c.watchContext
	settings.BeforeConnect = c.prepare
	settings.BeforeClose = abandonDead
}

// prepare sets the dialer of one connection. If the server was full less than fullInterval ago, prepare returns the
// stored error, and the driver does not connect.
func (c *connector) prepare(_ context.Context, config *pgx.ConnConfig) error {
	if full := c.full.Load(); full != nil && time.Since(full.at) < fullInterval {
		return full.err
	}
	dialer := &sessionDialer{conns: &c.conns}
	config.DialFunc = dialer.dial
	config.AfterConnect = func(context.Context, *pgconn.PgConn) error {
		dialer.established.Store(true)
		return nil
	}
	return nil
}

// abandonDead closes the network connection of a session that the driver has given up. Without abandonDead, the driver
// would try to end the session before it closes the network connection. If the server does not answer, this would take
// up to 15 seconds. During this time, the session would occupy a place in the pool.
func abandonDead(conn *pgx.Conn) {
	if !conn.IsClosed() {
		return
	}
	network := conn.PgConn().Conn()
	if secured, ok := network.(*tls.Conn); ok {
		network = secured.NetConn() // closing this one does not wait for TLS
	}
	_ = network.Close() // the session is lost anyway
}

// session holds the properties of a server that Lockbox reads on each new connection.
type session struct {
	standby                        bool
	serverEncoding, clientEncoding string
	// timeline is the number of the timeline that the server continues. It increases with every promotion of a standby.
	// It is 0 if the server does not report a timeline.
	timeline uint32
}

// sessionSQL returns the fields of session. Its last column reads the position of the write-ahead log. Some database
// services do not permit this, so portableSQL omits the column.
const (
	portableSQL = `SELECT pg_is_in_recovery(), current_setting('server_encoding'), current_setting('client_encoding')`
	sessionSQL  = portableSQL + `, CASE WHEN NOT pg_is_in_recovery()
		THEN substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END`
)

// readSession returns the session of a connection. It needs one round trip, or two if the server refuses sessionSQL.
func readSession(ctx context.Context, conn *pgconn.PgConn) (session, error) {
	row, err := readRow(ctx, conn, sessionSQL)
	if code := sqlstate.Of(err); code == sqlstate.InsufficientPrivilege || code == sqlstate.FeatureNotSupported ||
		code == sqlstate.UndefinedFunction {
		row, err = readRow(ctx, conn, portableSQL)
	}
	if err != nil {
		return session{}, err
	}
	read := session{standby: row[0] == "t", serverEncoding: row[1], clientEncoding: row[2]}
	if len(row) > 3 && row[3] != "" {
		timeline, err := strconv.ParseUint(row[3], 16, 32)
		if err != nil {
			return session{}, fmt.Errorf("parse the timeline %q that the database reported: %w", row[3], err)
		}
		read.timeline = uint32(timeline)
	}
	return read, nil
}

// readRow returns the only row of a statement as text.
func readRow(ctx context.Context, conn *pgconn.PgConn, sql string) ([]string, error) {
	results, err := conn.Exec(ctx, sql).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(results) != 1 || len(results[0].Rows) != 1 {
		return nil, errors.New("the query that checks a new connection did not return exactly one row")
	}
	row := make([]string, len(results[0].Rows[0]))
	for i, column := range results[0].Rows[0] {
		row[i] = string(column)
	}
	return row, nil
}

// check returns an error for a connection on which Lockbox cannot work. If the URL names several hosts, the driver then
// tries the next host.
func (c *connector) check(ctx context.Context, conn *pgconn.PgConn) error {
	read, err := readSession(ctx, conn)
	switch {
	case err != nil:
		return err
	case !connect.IsUTF8(read.serverEncoding):
		return connect.NewRefusal("the encoding of the database is " + read.serverEncoding +
			", but Lockbox needs UTF8: create the database with ENCODING 'UTF8'")
	case !connect.IsUTF8(read.clientEncoding):
		return connect.NewRefusal("the role or the database sets client_encoding to " + read.clientEncoding +
			": run ALTER ROLE … RESET client_encoding and ALTER DATABASE … RESET client_encoding")
	case read.standby:
		return ErrStandby
	}
	conn.CustomData()[timelineKey] = read.timeline
	return c.acceptTimeline(read.timeline)
}

// timelineKey is the map key under which check stores the timeline in the custom data of a connection.
const timelineKey = "timeline"

// timelineOf returns the timeline that the server reported when the connection opened. It returns 0 if the server did
// not report a timeline.
func timelineOf(conn *pgxpool.Conn) uint32 {
	timeline, _ := conn.Conn().PgConn().CustomData()[timelineKey].(uint32)
	return timeline
}

// acceptTimeline refuses a server if an earlier connection has reported a newer timeline. Such a server is an old
// primary that still runs although a standby was promoted. A timeline that is newer than all timelines that were
// reported before means that a standby was promoted. In this case, acceptTimeline discards all other connections,
// because they may still lead to the old primary.
func (c *connector) acceptTimeline(timeline uint32) error {
	for {
		seen := c.timeline.Load()
		switch {
		case timeline == 0 || timeline == seen:
			return nil
		case timeline < seen:
			return fmt.Errorf("%w: its timeline is %d, but Lockbox has already connected to a server with timeline %d",
				errOldPrimary, timeline, seen)
		}
		if c.timeline.CompareAndSwap(seen, timeline) {
			if seen != 0 {
				c.log.Warn("the database has a new primary; connections to the previous primary are discarded",
					slog.Uint64("timeline", uint64(timeline)))
				c.discard()
			}
			return nil
		}
	}
}

// watchContext returns the handler that runs when the context of a statement is cancelled. The driver's default handler
// closes the connection. With that handler, each client that disconnects would cost a new database session. This
// handler keeps the connection and cancels the statement. Before the connection may run another statement, the handler
// waits for the response to the cancel request, and gives the request time to take effect. The cancel request therefore
// cannot cancel the wrong statement.
func (c *connector) watchContext(conn *pgconn.PgConn) ctxwatch.Handler {
	return &cancelHandler{
		CancelRequestContextWatcherHandler: &pgconn.CancelRequestContextWatcherHandler{
			Conn:               conn,
			CancelRequestDelay: cancelDelay,
			DeadlineDelay:      cancelTimeout,
		},
		connector: c,
	}
}

// cancelHandler also detects dead connections. A connection is dead if a cancelled statement does not end within
// cancelTimeout.
type cancelHandler struct {
	*pgconn.CancelRequestContextWatcherHandler
	connector *connector
	at        time.Time
}

// HandleCancel cancels the statement.
func (h *cancelHandler) HandleCancel(ctx context.Context) {
	h.at = time.Now()
	h.CancelRequestContextWatcherHandler.HandleCancel(ctx)
}

// HandleUnwatchAfterCancel is called when the statement has ended.
func (h *cancelHandler) HandleUnwatchAfterCancel() {
	dead := time.Since(h.at) >= cancelTimeout
	h.CancelRequestContextWatcherHandler.HandleUnwatchAfterCancel()
	if dead {
		h.connector.replaceIdle()
	}
}

// replaceIdle discards the idle connections after one connection was found dead. The idle connections are probably dead
// too. A request that got one of them would wait up to pingTimeout before it got another connection.
func (c *connector) replaceIdle() {
	now := time.Now().UnixNano()
	last := c.discarded.Load()
	if now-last < int64(discardInterval) || !c.discarded.CompareAndSwap(last, now) {
		return
	}
	c.replaced.Add(1)
	c.log.Warn("a connection to the database does not answer; the idle connections are replaced")
	c.discard()
}

// noteFull reports whether err means that the server had no free connection. If so, it stores the error in c.full.
func (c *connector) noteFull(err error) bool {
	if sqlstate.Of(err) != sqlstate.TooManyConnections {
		return false
	}
	if full := c.full.Load(); full == nil || time.Since(full.at) >= fullInterval {
		c.full.Store(&fullServer{at: time.Now(), err: err})
	}
	return true
}
