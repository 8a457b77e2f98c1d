package vault

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// Authorize asks whether somebody may do something with the entries of a box, of which an action is a part.
type Authorize struct {
	Box    string
	Wanted domain.Permissions
	// Action is what a refusal is put on record as.
	Action domain.Action
}

// Authorize returns the refusal that the entries of the box would be met with, for an action that is to be refused before
// any of it is done. Whoever then reads or writes is asked again.
func (s *Service) Authorize(ctx context.Context, by domain.Requester, in Authorize) error {
	var access domain.Access
	_, err := s.access(ctx, s.Store.Read(), by, in.Box, func(found domain.Access) error {
		access = found
		return found.Use(in.Wanted)
	})
	return s.refused(ctx, s.event(in.Action, by, access), err)
}
