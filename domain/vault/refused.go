package vault

import (
	"context"
	"errors"
	"slices"

	"github.com/lockbox-go/lockbox/domain"
)

// revealing lists the refusals that reveal whether an entry exists, or which version is its newest.
var revealing = []error{domain.ErrEntryNotFound, domain.ErrVersionNotFound, domain.ErrPrecondition}

// refused audits the refusal of a request for an entry, and returns cause; see gate.Gate.Refused. If the caller may not
// list the keys of the box, a revealing refusal is audited as denied too. Such a caller could otherwise discover keys
// and versions without an audit event, for example by deleting with an If-Match that never matches.
func (s *Service) refused(ctx context.Context, event domain.Event, access domain.Access, cause error) error {
	if !access.SeesKeys() && isRevealing(cause) {
		return s.config.Gate.Denied(ctx, event, cause)
	}
	return s.config.Gate.Refused(ctx, event, cause)
}

// isRevealing reports whether cause is a revealing refusal.
func isRevealing(cause error) bool {
	return slices.ContainsFunc(revealing, func(refusal error) bool { return errors.Is(cause, refusal) })
}
