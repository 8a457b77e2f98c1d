package ports

import "context"

// originKey is the context key of WithOrigin.
type originKey struct{}

// originContext is the context that WithOrigin returns. Its value for originKey is the context itself. This saves the
// allocation of a separate value.
type originContext struct {
	context.Context
	origin string
}

// Value returns the context itself for originKey.
func (c *originContext) Value(key any) any {
	if key == (originKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// WithOrigin returns a context that attributes units of work and key derivations to origin, such as a user or a
// client's address. A store limits how many units of work of one origin run at once. One client therefore cannot occupy
// all database connections. The empty origin has no limit. Key derivations of different origins take turns.
func WithOrigin(ctx context.Context, origin string) context.Context {
	return &originContext{ctx, origin}
}

// Origin returns the origin of a context, or "".
func Origin(ctx context.Context) string {
	if c, ok := ctx.Value(originKey{}).(*originContext); ok {
		return c.origin
	}
	return ""
}
