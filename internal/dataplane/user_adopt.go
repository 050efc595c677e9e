package dataplane

import (
	"context"
	"errors"
	"fmt"

	"culvert/l2tp"
)

// AdoptTunnel adopts nothing: nothing is kept.
func (u *userspace) AdoptTunnel(ctx context.Context, spec TunnelSpec, peer l2tp.TunnelID) (Tunnel, error) {
	return nil, fmt.Errorf("adopt tunnel %d: %w", spec.ID, errors.ErrUnsupported)
}

// DropRest removes what outlives descriptors. Nothing is kept.
func (u *userspace) DropRest(ctx context.Context) (keys []string, err error) {
	return nil, u.network.sweep(ctx)
}

// HandOver has nothing to hand over.
func (u *userspace) HandOver() {}

// Abandon is Close: nobody keeps anything.
func (u *userspace) Abandon() error { return u.Close() }

// AdoptSession adopts nothing: nothing is kept.
func (t *userTunnel) AdoptSession(ctx context.Context, spec SessionSpec, last Configured) (Session, error) {
	return nil, fmt.Errorf("adopt session %d/%d: %w", t.spec.ID, spec.Session, errors.ErrUnsupported)
}
