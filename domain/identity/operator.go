package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// operatorEvent returns the audit event of an operator's action on a user. The actor of the event is
// domain.OperatorActor.
func (s *core) operatorEvent(action domain.Action, user domain.UserName) domain.Event {
	return s.gate.Event(action, domain.Requester{}, domain.Operator()).To(string(user))
}

// operate runs fn in a transaction that has locked the system and the user. The same transaction appends the audit
// event of the action, with the changes that fn returns.
func (s *core) operate(ctx context.Context, username string, action domain.Action,
	fn func(ctx context.Context, repos ports.Repos, user domain.User) ([]domain.Change, error)) error {
	name, err := domain.ParseUserName(username)
	if err != nil {
		return err
	}
	return s.store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		if _, err := repos.System.Lock(ctx); err != nil {
			return err
		}
		user, err := repos.Users.Lock(ctx, name)
		if err != nil {
			return err
		}
		changes, err := fn(ctx, repos, user)
		if err != nil {
			return err
		}
		return repos.Events.Append(ctx, s.operatorEvent(action, name).Changed(changes...))
	})
}
