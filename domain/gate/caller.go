package gate

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// Caller returns the requester's user and credential in their current state in the database. To decide under the locks
// of a transaction, pass its repositories. To decide before a transaction, pass the repositories of Store.Read. Errors:
// Unauthenticated when the credential is missing, unknown, expired or revoked, and when its user is inactive.
func (g *Gate) Caller(ctx context.Context, repos ports.Repos, by domain.Requester) (domain.Caller, error) {
	if by.Credential.IsZero() {
		return domain.Caller{}, domain.ErrUnauthenticated
	}
	caller, err := repos.Callers.Caller(ctx, by.Credential)
	if err != nil {
		return domain.Caller{}, err
	}
	return caller, caller.Authenticate(g.config.Clock.Now())
}

// Admin is [Gate.Caller] for an action that only admins may take. Errors: those of Caller, and ErrAdminOnly for a
// caller who is not an admin.
func (g *Gate) Admin(ctx context.Context, repos ports.Repos, by domain.Requester) (domain.Caller, error) {
	caller, err := g.Caller(ctx, repos, by)
	if err != nil {
		return domain.Caller{}, err
	}
	if !caller.IsAdmin() {
		return domain.Caller{}, domain.ErrAdminOnly
	}
	return caller, nil
}

// InGroup is [Gate.Caller] for an action that requires the group least or a group that includes it. If the caller's
// group is too low, InGroup returns ErrGroupTooLow. With this error, InGroup also returns the caller, for the audit
// event of the refusal.
func (g *Gate) InGroup(ctx context.Context, repos ports.Repos, by domain.Requester, least domain.Group) (domain.Caller,
	error) {
	caller, err := g.Caller(ctx, repos, by)
	if err != nil {
		return domain.Caller{}, err
	}
	return caller, caller.AuthorizeGroup(least)
}

// Access reads the caller, the named box and the caller's membership in one statement. Access does not decide what the
// caller may do with the box: the methods of [domain.Access] decide that. An invalid name, such as the empty name,
// finds no box and is not an error. Errors: those of [Gate.Caller].
func (g *Gate) Access(ctx context.Context, repos ports.Repos, by domain.Requester, box string) (domain.Access, error) {
	if by.Credential.IsZero() {
		return domain.Access{}, domain.ErrUnauthenticated
	}
	name, err := domain.ParseBoxName(box)
	if err != nil {
		name = ""
	}
	access, err := repos.Callers.Access(ctx, by.Credential, name)
	if err != nil {
		return domain.Access{}, err
	}
	return access, access.Caller.Authenticate(g.config.Clock.Now())
}
