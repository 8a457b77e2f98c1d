package boot

import (
	"context"
	"fmt"
	"time"

	"github.com/lockbox-go/lockbox/adapters/postgres"
	"github.com/lockbox-go/lockbox/adapters/postgres/migrate"
	"github.com/lockbox-go/lockbox/adapters/sealing"
	"github.com/lockbox-go/lockbox/migrations"
)

// The names of the checks that need the database.
const (
	checkNameDatabase    = "database"
	checkNameSchema      = "schema"
	checkNameSecret      = "secret"
	checkNameClock       = "clock"
	checkNameReplication = "replication"
	checkNamePooler      = "pooler"
	checkNameConnections = "connections"
	checkNameLog         = "database log"
)

const (
	oldestPostgres = 14
	newestPostgres = 18
	// If two clocks differ by more than largeSkew, expiry times and TOTP codes become noticeably wrong.
	largeSkew = 30 * time.Second
)

// checkDatabase connects to the database and runs all checks that need it.
func (c Config) checkDatabase(ctx context.Context) []Check {
	inspector, diagnosis, err := c.diagnose(ctx)
	if err != nil {
		checks := []Check{failed(checkNameDatabase, err.Error(),
			"start PostgreSQL, or correct LOCKBOX_DATABASE_URL; docs/troubleshooting.md explains connection errors")}
		for _, name := range []string{checkNameSchema, checkNameSecret, checkNameClock, checkNameReplication,
			checkNamePooler, checkNameConnections, checkNameLog} {
			checks = append(checks, skipped(name, "no database"))
		}
		return checks
	}
	defer inspector.Close()
	schema := c.checkSchema(ctx)
	return []Check{
		checkServer(diagnosis),
		schema,
		c.checkSecret(ctx, inspector, schema),
		checkClock(diagnosis),
		checkReplication(diagnosis),
		checkPooler(diagnosis),
		c.checkConnections(diagnosis),
		checkDatabaseLog(diagnosis),
	}
}

// diagnose connects to PostgreSQL and reads its state. If there is no error, the caller must close the inspector.
func (c Config) diagnose(ctx context.Context) (*postgres.Inspector, postgres.Diagnosis, error) {
	if len(c.DatabaseURL.Bytes()) == 0 {
		return nil, postgres.Diagnosis{}, mistake("DATABASE_URL", "is not set")
	}
	inspector, err := postgres.Inspect(ctx, string(c.DatabaseURL.Bytes()))
	if err != nil {
		return nil, postgres.Diagnosis{}, err
	}
	diagnosis, err := inspector.Diagnose(ctx)
	if err != nil {
		inspector.Close()
		return nil, postgres.Diagnosis{}, err
	}
	diagnosis.WriteErr = postgres.TryWrite(ctx, string(c.DatabaseURL.Bytes()))
	return inspector, diagnosis, nil
}

// checkServer checks the version and the encoding of PostgreSQL. It also checks whether PostgreSQL accepts writes.
func checkServer(d postgres.Diagnosis) Check {
	detail := fmt.Sprintf("PostgreSQL %d, encoding %s", d.Major, d.Encoding)
	switch {
	case d.Standby:
		return failed(checkNameDatabase, detail+"; the server is a standby, so it refuses writes",
			"in LOCKBOX_DATABASE_URL, name the primary, or name all servers and add target_session_attrs=read-write")
	case d.ReadOnly:
		return failed(checkNameDatabase, detail+", read-only",
			"set default_transaction_read_only to off for the role and the database")
	case d.WriteErr != nil:
		return failed(checkNameDatabase, detail+", refuses writes: "+d.WriteErr.Error(),
			"read the PostgreSQL log; check that the disk is not full and that the synchronous standbys run")
	case d.Encoding != "UTF8":
		return failed(checkNameDatabase, detail,
			"create the database with the encoding UTF8 and restore a backup into it")
	case d.Major < oldestPostgres:
		return failed(checkNameDatabase, detail, fmt.Sprintf("upgrade PostgreSQL to a version from %d to %d",
			oldestPostgres, newestPostgres))
	case d.Major > newestPostgres:
		return warning(checkNameDatabase, detail+"; Lockbox is not tested with this version",
			fmt.Sprintf("use PostgreSQL %d to %d", oldestPostgres, newestPostgres))
	}
	return ok(checkNameDatabase, detail+", accepts writes")
}

// checkSchema compares the schema with the migrations of this program.
func (c Config) checkSchema(ctx context.Context) Check {
	migrator, err := migrate.New(string(c.DatabaseURL.Bytes()), migrations.Files)
	if err != nil {
		return failed(checkNameSchema, err.Error(), "correct LOCKBOX_DATABASE_URL")
	}
	current, newest, err := migrator.Version(ctx)
	if err != nil {
		return failed(checkNameSchema, err.Error(), "check the privileges of the role on the schema")
	}
	detail := fmt.Sprintf("the schema has version %06d, and this program has migrations up to %06d", current, newest)
	if err := migrate.CheckSchema(current, newest); err != nil {
		return failed(checkNameSchema, detail,
			"run the release of Lockbox that upgraded the schema, or roll the schema back: see docs/upgrade.md")
	}
	switch {
	case current == 0:
		return warning(checkNameSchema, "the database is empty",
			"if data was lost, restore a backup; otherwise start a server, which creates the tables")
	case current < newest:
		return warning(checkNameSchema, detail, "make a backup, then start a server or run lockbox migrate up")
	case current > newest:
		return warning(checkNameSchema, detail, "upgrade this program to the version of the other servers")
	}
	return ok(checkNameSchema, fmt.Sprintf("version %06d", current))
}

// checkSecret unwraps every server key. A new database has none.
func (c Config) checkSecret(ctx context.Context, inspector *postgres.Inspector, schema Check) Check {
	switch {
	case c.SecretKey.IsZero():
		return failed(checkNameSecret, "LOCKBOX_SECRET_KEY is not set or cannot be read",
			"set LOCKBOX_SECRET_KEY_FILE to the file with the secret")
	case schema.Status == StatusError || schema.Detail == "the database is empty":
		return skipped(checkNameSecret, "no server keys to open")
	}
	keys, underPrevious, err := sealing.CheckSecret(ctx, c.keyringConfig(inspector.ServerKeys()))
	switch {
	case err != nil:
		return failed(checkNameSecret, err.Error(),
			"set LOCKBOX_SECRET_KEY to the secret of this database; without it, the entries cannot be read")
	case underPrevious > 0:
		return warning(checkNameSecret, fmt.Sprintf(
			"%d of %d server keys are still encrypted with LOCKBOX_SECRET_KEY_PREVIOUS", underPrevious, keys),
			"run lockbox secret rotate")
	case !c.SecretKeyPrevious.IsZero():
		return warning(checkNameSecret, "LOCKBOX_SECRET_KEY_PREVIOUS is set, but no server key needs it",
			"remove LOCKBOX_SECRET_KEY_PREVIOUS and restart the servers")
	}
	return ok(checkNameSecret, fmt.Sprintf("opens all %d server keys", keys))
}

// checkClock compares the clock of this machine with that of the database.
func checkClock(d postgres.Diagnosis) Check {
	skew := d.Skew.Round(time.Millisecond)
	detail := fmt.Sprintf("the clock of the database is %s ahead of the clock of this machine (±%s)", skew,
		d.SkewError.Round(time.Millisecond))
	if skew < 0 {
		detail = fmt.Sprintf("the clock of the database is %s behind the clock of this machine (±%s)", -skew,
			d.SkewError.Round(time.Millisecond))
	}
	if d.Skew.Abs() > largeSkew+d.SkewError {
		return warning(checkNameClock, detail,
			"synchronize both clocks with NTP: expiry times and TOTP codes depend on the clock of this machine")
	}
	return ok(checkNameClock, detail)
}

// checkReplication reports whether a crash or a failover of the database can lose committed changes.
func checkReplication(d postgres.Diagnosis) Check {
	const synchronous = "set synchronous_standby_names, so that a failover loses no changes; " +
		"see docs/operating.md"
	standbys := fmt.Sprintf("%d standbys", d.Standbys)
	switch {
	case d.Standby:
		return skipped(checkNameReplication, "this is a standby; only the primary knows the state of replication")
	case !d.Durable:
		return failed(checkNameReplication, "a crash of the database can lose acknowledged changes",
			"set fsync, full_page_writes and synchronous_commit to on")
	case d.SyncNames == "" && d.Standbys > 0:
		return warning(checkNameReplication,
			standbys+" replicate asynchronously: a failover can lose acknowledged changes", synchronous)
	case d.SyncNames == "":
		return ok(checkNameReplication, "one server, durable")
	case d.SyncCommit == "local":
		return warning(checkNameReplication, "synchronous_commit is local: a failover can lose acknowledged changes",
			"set synchronous_commit to on for the role of LOCKBOX_DATABASE_URL")
	case d.Standbys == 0 || d.SyncStandbys == 0:
		return failed(checkNameReplication,
			standbys+", but none is synchronous: every write waits until a synchronous standby connects",
			"connect a standby whose name is in synchronous_standby_names")
	case d.SyncStandbys < 0:
		return ok(checkNameReplication, standbys+"; the role is not allowed to see which standbys are synchronous")
	}
	return ok(checkNameReplication, fmt.Sprintf("%s, %d synchronous", standbys, d.SyncStandbys))
}

// checkPooler returns a warning if a pooler is between this program and the database, because Lockbox works only with
// certain settings of a pooler.
func checkPooler(d postgres.Diagnosis) Check {
	if d.Pooled {
		return warning(checkNamePooler, "LOCKBOX_DATABASE_URL leads to a pooler, such as PgBouncer",
			"connect directly to PostgreSQL, or configure the pooler as docs/operating.md describes; "+
				"run backups over a direct connection")
	}
	return ok(checkNamePooler, "none")
}

// checkConnections compares the size of the connection pool with the limit of PostgreSQL.
func (c Config) checkConnections(d postgres.Diagnosis) Check {
	wanted := postgres.PoolSize(c.DBMaxConns)
	detail := fmt.Sprintf("each Lockbox server opens up to %d connections; "+
		"PostgreSQL accepts %d from all servers together", wanted, d.FreeConnections)
	if wanted > d.FreeConnections {
		return failed(checkNameConnections, detail,
			"lower LOCKBOX_DB_MAX_CONNS, or raise max_connections of PostgreSQL")
	}
	return ok(checkNameConnections, detail)
}

// checkDatabaseLog returns a warning if PostgreSQL logs the parameters of statements; see warnOfLoggedParameters.
func checkDatabaseLog(d postgres.Diagnosis) Check {
	if d.LogsParameters {
		return warning(checkNameLog, "PostgreSQL logs the parameters of statements; they contain names",
			"set log_parameter_max_length and log_parameter_max_length_on_error to 0")
	}
	return ok(checkNameLog, "contains no parameters")
}
