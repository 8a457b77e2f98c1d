package vault

import (
	"context"
	"errors"
	"slices"

	"github.com/lockbox-go/lockbox/domain"
)

// revealing lists the errors that reveal whether an entry exists or which version is the newest one.
var revealing = []error{domain.ErrEntryNotFound, domain.ErrVersionNotFound, domain.ErrPrecondition}

// refused passes a refusal to gate.Gate.Refused and returns the result. If the caller may not list the keys of the box,
// refused also audits the errors that the variable revealing lists. Otherwise such a caller could discover keys and
// versions without an audit event, for example with delete requests whose If-Match never matches.
func (s *Service) refused(ctx context.Context, event domain.Event, access domain.Access, cause error) error {
	if !access.SeesKeys() && isRevealing(cause) {
		return s.config.Gate.Denied(ctx, event, cause)
	}
	return s.config.Gate.Refused(ctx, event, cause)
}

// isRevealing reports whether the variable revealing lists cause.
func isRevealing(cause error) bool {
	return slices.ContainsFunc(revealing, func(refusal error) bool { return errors.Is(cause, refusal) })
}
