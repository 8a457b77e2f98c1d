// Package gate is the one way into every use case. It answers three questions: who is calling, may the caller do
// this, and have there been too many wrong credentials. It also writes the audit events of refusals.
//
// # Which refusals are audited
//
// A use case that checks a credential, reads or changes the entries of a box, changes or unlocks an identity, or
// changes a droplet passes its refusals to [Gate.Refused], which audits only these refusals:
//
//   - A wrong credential: a password, a TOTP code, a recovery code, a refresh token or an invitation code.
//     A right password without the TOTP code that the account requires is a wrong credential too. Outcome "denied".
//   - A known caller who lacks a permission, a group or the right encryption key; who names a box that the
//     caller cannot see; or whose sign-in is too old for a request about the caller's own identity. Outcome "denied".
//   - A missing entry or version, or a failed precondition, if the caller may use the entries of the box but must not
//     list their keys. Such a refusal reveals whether a key exists. Outcome "denied"; see [Gate.Denied].
//   - Stored data that does not authenticate. Outcome "tampered".
//
// Some refusals of a known caller are not counted by any rate limit. Only the first of these in each minute have events
// of their own; see [Gate.FlushRefusals]. Each lockout has one event, with outcome "throttled"; later attempts during
// the same lockout have none. See [Gate.ReserveAccount] and [Gate.CheckPassphrase].
//
// Every other refusal is returned without an event: a missing, expired or revoked token, malformed input, a conflict, a
// missing entry or failed precondition for a caller who may list the keys, and an administrative request from a caller
// who is not an administrator. Such requests reveal no secret and change nothing, and anyone can send any number of
// them.
//
// # Rate limits
//
// Wrong credentials are counted under an account and under an address. Wrong passphrases are counted under a caller and
// a box. The database holds the counters under keyed digests, so that all servers share them and a dump does not name
// anyone. [domain.Attempts] has the rules; this package decides what counts under which key.
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

// New returns a Gate. All use cases of a server share one Gate: its limits on searches and on repeated refusals apply
// to all use cases together.
func New(config Config) *Gate {
	return &Gate{
		config:   config,
		searches: searches{running: make(map[domain.UserID]bool)},
		repeated: repeatedRefusals{windows: make(map[refusalKey]*window)},
	}
}

// Event returns the audit event of an action that succeeded, with the present time and a new identifier. It stores
// nothing: append it to the transaction of the change, or pass it to [Gate.Audit] or [Gate.Refused]. The caller is
// zero for a request without a valid credential.
func (g *Gate) Event(action domain.Action, by domain.Requester, caller domain.Caller) domain.Event {
	return domain.NewEvent(g.config.IDs.New(), action, by, caller, g.config.Clock.Now())
}

// Audit commits an event that is not part of a change, such as the read of a value. It must not be called in a
// transaction. Errors: Unavailable; the event may have been committed nevertheless.
func (g *Gate) Audit(ctx context.Context, event domain.Event) error {
	return g.config.Events.Write(ctx, event)
}
