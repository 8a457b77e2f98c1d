// Package gate authenticates and authorises the caller of every use case, and limits attempts with wrong credentials.
// It also writes the audit events of refusals.
//
// # Which refusals are audited
//
// Use cases pass their refusals to [Gate.Refused]. This applies to each use case that checks a credential, reads or
// changes the entries of a box, changes or unlocks an identity, or changes a droplet. Of these refusals, Refused audits
// only the following:
//
//   - A wrong credential: a password, a TOTP code, a recovery code, a refresh token or an invitation code.
//     A right password without the TOTP code that the account requires is a wrong credential too. Outcome "denied".
//   - A known caller who lacks a permission, a group or the right encryption key, or who names a box that the caller
//     cannot see. Outcome "denied".
//   - A sign-in that is too old for a request about the caller's own identity. Outcome "denied".
//   - A missing entry or version, or a failed precondition. Such a refusal reveals whether a key exists, so it is
//     audited if the caller must not list the keys of the box. Outcome "denied"; see [Gate.Denied].
//   - Stored data that fails authentication, because it was changed or damaged. Outcome "tampered".
//
// A known caller can cause some of these refusals without reaching a rate limit. For the same caller, action and box,
// only the first ten such refusals in a minute have an event each; see [Gate.FlushRefusals]. Each lockout has one
// event, with outcome "throttled". Further attempts during the lockout have no event. See [Gate.ReserveAccount] and
// [Gate.CheckPassphrase].
//
// No other refusal is audited. Examples are a missing, expired or revoked token, malformed input, a conflict, and an
// administrative request from a caller who is not an administrator. Such requests reveal no secret and change nothing.
// Any client can send any number of them, and their events would fill the audit log.
//
// # Rate limits
//
// Wrong credentials are counted for each account and for each address. Wrong passphrases are counted for each pair of
// caller and box. The counters are in the database, so that all servers share them. Their keys are keyed digests, so
// that a dump of the database reveals no usernames or addresses. [domain.Attempts] computes the lockouts, and this
// package decides which counters an attempt increments.
package gate

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// Config holds the dependencies and limits of a Gate. All fields are required.
type Config struct {
	Store   ports.Store
	Events  ports.EventWriter
	Digests ports.Digests
	Clock   ports.Clock
	IDs     ports.IDs
	// Limits sets how many wrong credentials are allowed before the first lockout.
	Limits domain.RateLimits
}

// Gate authenticates callers, limits attempts and audits refusals. It is safe for concurrent use.
type Gate struct {
	config   Config
	searches searches
	repeated repeatedRefusals
}

// New returns a Gate. All use cases of a server must share one Gate, because a Gate limits searches and counts repeated
// refusals in its own memory.
func New(config Config) *Gate {
	return &Gate{
		config:   config,
		searches: searches{running: make(map[domain.UserID]bool)},
		repeated: repeatedRefusals{windows: make(map[refusalKey]*window)},
	}
}

// Event returns a new audit event with outcome "success" and the current time. It does not store the event: append the
// event in the transaction of the change, or pass it to [Gate.Audit] or [Gate.Refused]. Pass the zero Caller for a
// request without a valid credential.
func (g *Gate) Event(action domain.Action, by domain.Requester, caller domain.Caller) domain.Event {
	return domain.NewEvent(g.config.IDs.New(), action, by, caller, g.config.Clock.Now())
}

// Audit commits an event that is not part of a change, such as the event of a read. Do not call it in a transaction. If
// it returns an error of kind Unavailable, the event may have been committed nevertheless.
func (g *Gate) Audit(ctx context.Context, event domain.Event) error {
	return g.config.Events.Write(ctx, event)
}
