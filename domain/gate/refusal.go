package gate

import (
	"context"
	"errors"
	"slices"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// Refused audits the refusal of an action if the policy in the package comment requires an event. The cause argument is
// the refusal. Refused returns cause. If the commit of the event failed, the result also contains the error of the
// commit. If cause is nil, Refused does nothing and returns nil.
//
// After many equal refusals, Refused commits no further events and only counts the refusals; see [Gate.FlushRefusals].
// Do not call it in a transaction: a rollback would not undo the event.
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

// Denied audits every refusal, with outcome "denied". It returns the same error as Refused. Use Denied for a refusal
// that Refused does not audit, if the refusal reveals something to this caller, such as whether a key exists. Do not
// call it in a transaction.
func (g *Gate) Denied(ctx context.Context, event domain.Event, cause error) error {
	return g.write(ctx, event.Ended(domain.OutcomeDenied), cause)
}

// write commits the event of a refusal. If the commit succeeds, write returns cause. Otherwise it returns cause joined
// with the error of the commit.
func (g *Gate) write(ctx context.Context, event domain.Event, cause error) error {
	if err := g.config.Events.Write(ctx, event); err != nil {
		return errors.Join(err, cause)
	}
	return cause
}

// wrongCredentials lists the errors for a credential that was compared and was wrong. isDenial needs this list, because
// other errors of the same kinds are not audited.
var wrongCredentials = []error{
	domain.ErrWrongCredentials, domain.ErrCodeRequired, domain.ErrCodeInvalid, domain.ErrRefreshToken,
	domain.ErrInvitationInvalid,
}

// isDenial reports whether a refusal is audited with outcome "denied". Most errors of kind NotFound are not audited,
// but ErrBoxNotFound is, because the caller may have named an existing box that the caller cannot see.
func isDenial(cause error) bool {
	return errors.Is(cause, domain.Forbidden) || errors.Is(cause, domain.ErrBoxNotFound) ||
		isOneOf(cause, wrongCredentials)
}

// repeatable lists the refusals that no rate limit counts. A caller can cause any number of them.
var repeatable = []error{
	domain.ErrPermissionMissing, domain.ErrGroupTooLow, domain.ErrKeyMismatch, domain.ErrBoxNotFound,
}

// isRepeatable reports whether many refusals with this cause may share one event.
func isRepeatable(cause error) bool { return isOneOf(cause, repeatable) }

func isOneOf(cause error, refusals []error) bool {
	return slices.ContainsFunc(refusals, func(refusal error) bool { return errors.Is(cause, refusal) })
}
