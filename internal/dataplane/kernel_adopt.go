package dataplane

import (
	"context"
	"errors"
	"fmt"

	"culvert/l2tp"
)

// AdoptTunnel adopts nothing yet.
func (p *kernelPlane) AdoptTunnel(ctx context.Context, spec TunnelSpec, peer l2tp.TunnelID) (Tunnel, error) {
	return nil, fmt.Errorf("adopt tunnel %d: %w", spec.ID, errors.ErrUnsupported)
}

// DropRest has nothing to do yet.
func (p *kernelPlane) DropRest(ctx context.Context) (keys []string, err error) { return nil, ctx.Err() }

// HandOver has nothing to hand over yet.
func (p *kernelPlane) HandOver() {}

// Abandon is Close yet.
func (p *kernelPlane) Abandon() error { return p.Close() }

// AdoptSession adopts nothing yet.
func (t *kernelTunnel) AdoptSession(ctx context.Context, spec SessionSpec, last Configured) (Session, error) {
	return nil, fmt.Errorf("adopt session %d/%d: %w", t.id, spec.Session, errors.ErrUnsupported)
}
