package engine

import (
	"time"

	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/internal/config"
	"culvert/internal/management"
	"culvert/internal/schema"
)

// explain describes a tunnel with what it runs with, and where that comes from.
func (f subject) explain(now time.Time) management.Shown {
	asked := &api.Tunnel{}
	if f.dialer != nil {
		asked = proto.CloneOf(f.dialer.asked)
	}
	e := f.snapshot().ExplainTunnel(asked, f.resolved())
	return shown(f.status(now), e)
}

func (f subject) snapshot() *config.Snapshot { return f.shard().engine.store.Snapshot() }

// resolved is what the tunnel runs with, or ran with when it last did.
func (f subject) resolved() config.Tunnel {
	if f.dialer != nil {
		return f.dialer.resolved
	}
	return f.tunnel.settings.resolved
}

// explain describes a session likewise. One that waits for its call is explained as
// it would be placed now.
func (f sessionSubject) explain(now time.Time) management.Shown {
	asked := &api.Session{}
	if said := f.asked(); said != nil {
		asked = proto.CloneOf(said)
	}
	var running config.Session
	if f.session != nil {
		running = f.session.settings.Session
	} else if r, err := f.resolve(asked); err == nil {
		running = r
	}
	in := f.in()
	e := in.snapshot().ExplainSession(in.resolved(), asked, running)
	return shown(f.status(now), e)
}

// shown adds the explanation of an object to its status. Both have its keys, and share
// the status.
func shown(status proto.Message, e config.Explanation) management.Shown {
	switch is := status.(type) {
	case *api.Tunnel:
		holds := e.Effective.(*api.Tunnel)
		holds.Status, holds.ConfigId = is.Status, is.ConfigId
	case *api.Session:
		e.Effective.(*api.Session).Status = is.Status
	}
	for _, p := range schema.KindOf(status).Params {
		if p.Key {
			p.Copy(e.Effective, status)
		}
	}
	return management.Shown{Object: status, Effective: e.Effective, Origins: e.Origins,
		Link: e.Link, LinkOrigins: e.LinkOrigins}
}
