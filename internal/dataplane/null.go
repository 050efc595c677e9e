package dataplane

import "context"

// NewNull opens a data plane of sockets only: control messages and PPP control
// frames travel, network packets are dropped and counted, and what Configure is told
// is kept and has no effect.
func NewNull(h Handler) (Dataplane, error) {
	u, err := newUserspace("null", h)
	if err != nil {
		return nil, err
	}
	u.network = noNetwork{}
	return u, nil
}

// noNetwork is the network of null.
type noNetwork struct{}

func (noNetwork) configure(context.Context, *userSession, *LinkSpec, *LinkSpec) error {
	return nil
}

func (noNetwork) receive(s *userSession, protocol uint16, packet []byte) {
	s.count.touch()
	s.count.rxDropped.Add(1)
}

func (noNetwork) sweep(context.Context) error { return nil }

func (noNetwork) interfaces(links []string) []string { return nil }

func (noNetwork) name(link string) string { return link }

func (noNetwork) close() error { return nil }
