package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lockbox-go/lockbox/adapters/postgres/sqlstate"
)

// roleSetting is a parameter that a session needs.
type roleSetting struct {
	name string
	// If the parameter is a timeout, limit is its longest allowed value. If limit is 0, the parameter is a switch that
	// must be off.
	limit time.Duration
}

// roleSettings are the parameters that the sessions of Lockbox need. They are set on the role in the database. Lockbox
// does not send them when it connects, because poolers refuse or silently drop such parameters. Migration 000010 sets
// the same values.
//
// A prepared statement keeps its plan. If the server makes the plan while the tables are still empty, a sequential scan
// looks cheap. The settings therefore switch off sequential scans, hash joins, merge joins and JIT compilation. All
// statements of Lockbox find only a few rows by an index, so these features would not make them faster.
var roleSettings = []roleSetting{
	{name: "statement_timeout", limit: StatementTimeout},
	{name: "lock_timeout", limit: lockTimeout},
	{name: "idle_in_transaction_session_timeout", limit: StatementTimeout},
	{name: "enable_seqscan"},
	{name: "enable_hashjoin"},
	{name: "enable_mergejoin"},
	{name: "jit"},
}

const (
	// maxStaleSessions is the number of attempts after which ensureRoleSettings gives up. Each attempt may end one
	// session that a pooler opened before the settings were stored. The number is larger than most pools.
	maxStaleSessions = 50
	// maxSettingConflicts is the largest number of retries after conflicts with other servers that store the settings
	// at the same time.
	maxSettingConflicts = 10
)

// value returns the value that the ALTER ROLE statement sets.
func (s roleSetting) value() string {
	if s.limit == 0 {
		return "off"
	}
	return strconv.FormatFloat(s.limit.Seconds(), 'f', -1, 64) + "s"
}

// holds reports whether a value meets the requirement. The value comes from pg_settings, where timeouts are in
// milliseconds. A timeout meets the requirement if it is not longer than s.limit. The value 0 does not, because it
// means no timeout.
func (s roleSetting) holds(value string) bool {
	if s.limit == 0 {
		return value == "off"
	}
	milliseconds, err := strconv.ParseInt(value, 10, 64)
	return err == nil && milliseconds > 0 && milliseconds <= s.limit.Milliseconds()
}

// statement returns the SQL that sets the parameter on the role.
func (s roleSetting) statement(role, database string) string {
	return fmt.Sprintf("ALTER ROLE %s IN DATABASE %s SET %s = '%s'", pgx.Identifier{role}.Sanitize(),
		pgx.Identifier{database}.Sanitize(), s.name, s.value())
}

// ensureRoleSettings verifies that new sessions have the roleSettings. It sets missing settings on the role. A
// migration sets them too, but only on the role that runs the migration, and they are missing after a dump was
// restored. If the role is not allowed to change its settings, the error contains the statements that an administrator
// must run.
func ensureRoleSettings(ctx context.Context, p *pool) error {
	conflicts := 0
	for range maxStaleSessions {
		state, err := readRoleState(ctx, p)
		switch {
		case err != nil:
			return translate(err)
		case len(state.lacking) == 0:
			return nil
		case state.stored:
			// The session began before the settings were stored. Without endSession, a pooler might use the session for
			// hours.
			endSession(ctx, p)
			continue
		}
		err = storeRoleSettings(ctx, p, state.statements())
		switch code := sqlstate.Of(err); {
		case code == sqlstate.InternalError || code == sqlstate.UniqueViolation || sqlstate.IsConflict(err):
			// Another server stores the settings at the same time. The statement then fails with "tuple concurrently
			// updated", or with a unique violation if the role had no settings yet.
			if conflicts++; conflicts > maxSettingConflicts {
				return translate(err)
			}
		case code == sqlstate.InsufficientPrivilege:
			return state.refusal()
		case err != nil:
			return translate(err)
		}
		p.raw.Reset() // the open sessions do not have the new settings
	}
	return errors.New("settings that are stored for the role do not apply in the database sessions: " +
		"if the database URL sets one of these parameters, remove it from the URL; " +
		"otherwise, let the pooler open new connections, for example with RECONNECT in the console of PgBouncer")
}

// roleState compares a session with the roleSettings.
type roleState struct {
	role, database string
	// lacking contains the roleSettings that the session does not have. If stored is true, the role has all these
	// settings, and a new session will get them.
	lacking []roleSetting
	stored  bool
}

// readRoleState reads the parameters of a session, and the settings that are stored for the role of the session.
func readRoleState(ctx context.Context, q querier) (*roleState, error) {
	s := &roleState{}
	var names, values, stored []string
	err := q.QueryRow(ctx, `SELECT session_user::text, current_database()::text,
			array_agg(name), array_agg(setting),
			ARRAY(SELECT unnest(setconfig) FROM pg_db_role_setting r JOIN pg_roles u ON u.oid = r.setrole
				JOIN pg_database d ON d.oid = r.setdatabase
				WHERE u.rolname = session_user AND d.datname = current_database())
		FROM pg_settings`).Scan(&s.role, &s.database, &names, &values, &stored)
	if err != nil {
		return nil, err
	}
	session := make(map[string]string, len(names))
	for i, name := range names {
		session[name] = values[i]
	}
	s.stored = true
	for _, each := range roleSettings {
		// If a server was built without a feature, it may lack the parameter of that feature, for example jit.
		value, known := session[each.name]
		if !known || each.holds(value) {
			continue
		}
		s.lacking = append(s.lacking, each)
		s.stored = s.stored && slices.Contains(stored, each.name+"="+each.value())
	}
	return s, nil
}

// statements returns the statements that set the parameters in s.lacking.
func (s *roleState) statements() []string {
	var list []string
	for _, each := range s.lacking {
		list = append(list, each.statement(s.role, s.database))
	}
	return list
}

// refusal returns the error for a role that is not allowed to change its own settings.
func (s *roleState) refusal() error {
	return fmt.Errorf("the sessions of the role %s lack settings that Lockbox needs, "+
		"and the role is not allowed to change these settings; "+
		"run these statements as a superuser, then start Lockbox again:\n%s;", s.role,
		strings.Join(s.statements(), ";\n"))
}

// endSession makes the server end one session. A pooler then opens a new session. Every role may end its own sessions.
// Exec always returns an error here, because the statement ends the session in which it runs.
func endSession(ctx context.Context, p *pool) {
	_, _ = p.Exec(ctx, `SELECT pg_terminate_backend(pg_backend_pid())`)
	p.raw.Reset()
}

// storeRoleSettings runs the statements in one transaction.
func storeRoleSettings(ctx context.Context, p *pool, statements []string) error {
	ctx, cancel := context.WithTimeout(ctx, p.limit)
	defer cancel()
	return pgx.BeginFunc(ctx, p.raw, func(tx pgx.Tx) error {
		for _, statement := range statements {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
}
