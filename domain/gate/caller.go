package gate

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// Caller authenticates the requester. It reads the requester's user and credential through repos and returns them. In a
// transaction, pass the repositories of the transaction, so that its locks apply. Outside a transaction, pass the
// repositories of Store.Read.
//
// Caller returns an error of kind Unauthenticated if the credential is missing, unknown, expired or revoked, or if its
// user is inactive.
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

// Admin does the same as [Gate.Caller], and returns ErrAdminOnly if the caller is not an admin.
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

// InGroup does the same as [Gate.Caller], and returns ErrGroupTooLow if the caller's group is lower than the given one.
// InGroup returns the caller together with this error, because the audit event of the refusal needs the caller.
func (g *Gate) InGroup(ctx context.Context, repos ports.Repos, by domain.Requester, least domain.Group) (domain.Caller,
	error) {
	caller, err := g.Caller(ctx, repos, by)
	if err != nil {
		return domain.Caller{}, err
	}
	return caller, caller.AuthorizeGroup(least)
}

// Access reads the caller, the named box and the caller's membership in one statement. The methods of [domain.Access]
// decide what the caller may do with the box. If the name is invalid or empty, Access returns the zero box and no
// error. Errors: those of [Gate.Caller].
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
