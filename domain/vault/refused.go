package vault

import (
	"context"
	"errors"
	"slices"

	"github.com/lockbox-go/lockbox/domain"
)

// revealing are the refusals that state whether an entry exists, or which version is its newest.
var revealing = []error{domain.ErrEntryNotFound, domain.ErrVersionNotFound, domain.ErrPrecondition}

// refused audits the refusal of a request for an entry, and returns cause; see gate.Gate.Refused. It also audits a
// revealing refusal as denied if the caller may not list the keys of the box. Such a caller could otherwise find keys
// and versions without a trace, for example by deleting with an If-Match that never matches.
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
