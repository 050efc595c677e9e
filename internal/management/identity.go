package management

import "context"

// A Role is what somebody may do.
type Role uint8

// Each role may do what those before it may.
const (
	NoRole Role = iota
	Reader      // may look, at everything but secrets
	Admin       // may do everything
)

func (r Role) String() string { return [...]string{"none", "reader", "admin"}[r] }

// An Identity is who makes a request.
type Identity struct {
	// Name is the user of the socket's other end, or the name in the certificate
	// of a remote client.
	Name string
	Role Role
}

type identityKey struct{}

// WithIdentity returns a context in which IdentityOf finds id.
func WithIdentity(ctx context.Context, id Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, id)
}

// IdentityOf returns who makes the request of ctx, or a zero Identity if that is
// not known.
func IdentityOf(ctx context.Context) Identity {
	id, _ := ctx.Value(identityKey{}).(Identity)
	return id
}
