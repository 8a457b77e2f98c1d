package e2e

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// These are the values of default_transaction_isolation that the tests use.
const (
	readCommitted  = "read committed"
	repeatableRead = "repeatable read"
	serializable   = "serializable"
)

// cluster consists of two replicas that share one database. The owner is named root.
type cluster struct {
	t    testing.TB
	a, b *server
	root client // on a
	// mayRefuse is set if the isolation level is stricter than read committed. The database may then abort a
	// transaction because of concurrent transactions. If all retries of the server fail, the response is 503.
	mayRefuse bool
}

// startCluster starts two replicas. The test fails if a replica logs an error.
func startCluster(t testing.TB, isolation string, settings ...string) *cluster {
	t.Helper()
	database := pgtest.New(t)
	if isolation != readCommitted {
		name := database[strings.LastIndex(database, "/")+1:]
		name, _, _ = strings.Cut(name, "?")
		run(t, database, `ALTER DATABASE `+name+` SET default_transaction_isolation = '`+isolation+`'`)
	}
	c := &cluster{t: t, mayRefuse: isolation != readCommitted}
	c.a, c.b = startOn(t, database, settings...), startOn(t, database, settings...)
	c.root = c.a.initialize()
	t.Cleanup(func() {
		for _, replica := range []*server{c.a, c.b} {
			require.Empty(t, replica.errors())
		}
	})
	return c
}

// errors returns the log lines of level error.
func (s *server) errors() (lines []string) {
	for line := range strings.Lines(s.log.String()) {
		if strings.Contains(line, `"level":"ERROR"`) {
			lines = append(lines, line)
		}
	}
	return lines
}

// The on method returns the first replica if i is even, and the second replica if i is odd.
func (c *cluster) on(i int) *server {
	if i%2 == 0 {
		return c.a
	}
	return c.b
}

// The at method returns a client that sends the same token to another replica.
func (c client) at(s *server) client { return s.as(c.token) }

// atOnce sends all requests concurrently and returns their answers in order.
func (c *cluster) atOnce(requests ...func() *answer) []*answer {
	c.t.Helper()
	answers := make([]*answer, len(requests))
	begin := make(chan struct{})
	var group sync.WaitGroup
	for i, request := range requests {
		group.Go(func() {
			<-begin
			answers[i] = request()
		})
	}
	close(begin)
	group.Wait()
	for _, each := range answers {
		require.NotNil(c.t, each, "a request got no answer")
		if c.mayRefuse && each.Status == 503 {
			continue
		}
		require.Less(c.t, each.Status, 500, "%s: %s", each.request, each.Body)
	}
	return answers
}

// The times method sends n requests concurrently. It sends every second request to the second replica.
func (c *cluster) times(n int, request func(i int, s *server) *answer) []*answer {
	c.t.Helper()
	requests := make([]func() *answer, n)
	for i := range requests {
		requests[i] = func() *answer { return request(i, c.on(i)) }
	}
	return c.atOnce(requests...)
}

// The surely method returns a function that sends a request. If the response is 503 because the database aborted the
// transaction, the function sends the request again.
func (c *cluster) surely(request func() *answer) func() *answer {
	return func() *answer {
		got := request()
		for tries := 0; c.mayRefuse && got.Status == 503 && tries < 20; tries++ {
			got = request()
		}
		return got
	}
}

// tally counts the answers by status.
func tally(answers []*answer) map[int]int {
	counts := make(map[int]int)
	for _, each := range answers {
		counts[each.Status]++
	}
	return counts
}

// expectTally counts the answers by status. The argument count is the required number of answers whose status is equal
// to the argument success. The argument others is the required number of answers whose status is equal to the argument
// other. If mayRefuse is set, some answers may be 503 instead, so both numbers may be smaller.
func (c *cluster) expectTally(answers []*answer, success, count, other, others int) {
	c.t.Helper()
	got := tally(answers)
	if c.mayRefuse && got[503] > 0 {
		require.LessOrEqual(c.t, got[success], count, "%v", got)
		require.LessOrEqual(c.t, got[other], others, "%v", got)
		require.Equal(c.t, count+others, got[success]+got[other]+got[503], "%v", got)
		return
	}
	want := map[int]int{success: count}
	if others > 0 {
		want[other] = others
	}
	require.Equal(c.t, want, got)
}

// The number method runs a query that returns a single number.
func (c *cluster) number(sql string, args ...any) int {
	c.t.Helper()
	return number(c.t, c.a.db, sql, args...)
}

// traces returns the names of all columns that contain an identifier, in the form table.column. It skips the audit log,
// because events remain when an object is deleted.
func (c *cluster) traces(id string) []string {
	c.t.Helper()
	var found []string
	withConn(c.t, c.a.db, func(ctx context.Context, conn *pgx.Conn) {
		rows, err := conn.Query(ctx, `SELECT table_name, column_name FROM information_schema.columns
			WHERE table_schema = 'public' AND data_type = 'uuid' AND table_name <> 'events'`)
		require.NoError(c.t, err)
		columns, err := pgx.CollectRows(rows, pgx.RowToStructByPos[struct{ Table, Name string }])
		require.NoError(c.t, err)
		require.NotEmpty(c.t, columns)
		for _, column := range columns {
			var count int
			sql := `SELECT count(*) FROM ` + pgx.Identifier{column.Table}.Sanitize() + ` WHERE ` +
				pgx.Identifier{column.Name}.Sanitize() + ` = $1`
			require.NoError(c.t, conn.QueryRow(ctx, sql, id).Scan(&count))
			if count > 0 {
				found = append(found, column.Table+"."+column.Name)
			}
		}
	})
	return found
}

// withConn opens a separate database connection for the test.
func withConn(t testing.TB, database string, use func(ctx context.Context, conn *pgx.Conn)) {
	t.Helper()
	ctx := context.Background() // cleanups run after the test's context has ended
	conn, err := pgx.Connect(ctx, database)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(ctx)) }()
	use(ctx, conn)
}

// run executes SQL and returns the number of affected rows.
func run(t testing.TB, database, sql string, args ...any) int {
	t.Helper()
	var count int
	withConn(t, database, func(ctx context.Context, conn *pgx.Conn) {
		tag, err := conn.Exec(ctx, sql, args...)
		require.NoError(t, err)
		count = int(tag.RowsAffected())
	})
	return count
}

func number(t testing.TB, database, sql string, args ...any) int {
	t.Helper()
	var value int
	withConn(t, database, func(ctx context.Context, conn *pgx.Conn) {
		require.NoError(t, conn.QueryRow(ctx, sql, args...).Scan(&value))
	})
	return value
}

// text returns the result of a query that selects one text.
func text(t testing.TB, database, sql string, args ...any) string {
	t.Helper()
	var value string
	withConn(t, database, func(ctx context.Context, conn *pgx.Conn) {
		require.NoError(t, conn.QueryRow(ctx, sql, args...).Scan(&value))
	})
	return value
}

// inOrder starts subtests in the order of their names. The subtests then run in parallel.
func inOrder[T any](t *testing.T, table map[string]T, test func(t *testing.T, each T)) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(table)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, table[name])
		})
	}
}
