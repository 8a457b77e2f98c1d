package gate

import (
	"context"
	"errors"
	"slices"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// Refused audits the refusal of an action if the policy in the package comment requires it. It returns cause, joined
// with the error of the audit log if the event could not be committed. It does nothing if cause is nil. Do not call it
// in a transaction: a rollback would not undo the event. After many equal refusals, it counts further ones without
// writing events.
func (g *Gate) Refused(ctx context.Context, event domain.Event, cause error) error {
	switch {
	case cause == nil:
		return nil
	case ports.IsTampered(cause):
		event = event.Ended(domain.OutcomeTampered)
	case isDenial(cause):
		event = event.Ended(domain.OutcomeDenied)
		if !event.Actor.IsZero() && isRepeatable(cause) && g.repeated.suppress(event) {
			return cause
		}
	default:
		return cause
	}
	return g.write(ctx, event, cause)
}

// Denied audits a refusal as denied, whatever its cause, and returns cause as Refused does. Use it for a refusal that
// the policy does not cover but that reveals something to this caller. Do not call it in a transaction.
func (g *Gate) Denied(ctx context.Context, event domain.Event, cause error) error {
	return g.write(ctx, event.Ended(domain.OutcomeDenied), cause)
}

// write commits the event of a refusal. It returns cause, joined with the error of the audit log if the commit failed.
func (g *Gate) write(ctx context.Context, event domain.Event, cause error) error {
	if err := g.config.Events.Write(ctx, event); err != nil {
		return errors.Join(err, cause)
	}
	return cause
}

// wrongCredentials are the refusals that are returned after a credential was compared with the stored one. Refusals
// that are not audited have the same kinds, so isDenial cannot test the kind and needs this list.
var wrongCredentials = []error{
	domain.ErrWrongCredentials, domain.ErrCodeRequired, domain.ErrCodeInvalid, domain.ErrRefreshToken,
	domain.ErrInvitationInvalid,
}

// isDenial reports whether a refusal is audited as denied. ErrBoxNotFound has the kind NotFound, but it is audited
// because it also refuses a caller who cannot see an existing box.
func isDenial(cause error) bool {
	return errors.Is(cause, domain.Forbidden) || errors.Is(cause, domain.ErrBoxNotFound) ||
		isOneOf(cause, wrongCredentials)
}

// repeatable are the refusals that no rate limit counts: a caller can cause any number of them.
var repeatable = []error{
	domain.ErrPermissionMissing, domain.ErrGroupTooLow, domain.ErrKeyMismatch, domain.ErrBoxNotFound,
}

// isRepeatable reports whether many equal refusals may share an event.
func isRepeatable(cause error) bool { return isOneOf(cause, repeatable) }

func isOneOf(cause error, refusals []error) bool {
	return slices.ContainsFunc(refusals, func(refusal error) bool { return errors.Is(cause, refusal) })
}
