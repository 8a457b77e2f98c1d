package ports

import "context"

// originKey is the context key of WithOrigin.
type originKey struct{}

// WithOrigin returns a context whose units of work and key derivations count for origin, such as a user or a client's
// address. A store runs only some units of work of one origin at once, so that one client cannot occupy all database
// connections; the empty origin is unlimited. Key derivations of different origins take turns.
func WithOrigin(ctx context.Context, origin string) context.Context {
	return context.WithValue(ctx, originKey{}, origin)
}

// Origin returns the origin of a context, or "".
func Origin(ctx context.Context) string {
	origin, _ := ctx.Value(originKey{}).(string)
	return origin
}
