package commit

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/internal/config"
)

// warnings says what of the new configuration has no effect, and what the plan does
// not do: tunnels and sessions that do not change themselves keep what they began with,
// whatever their profiles say now.
func (p *plan) warnings() []string {
	all := p.new.Warnings()
	tunnels, sessions := p.outdated()
	if len(tunnels)+sessions == 0 {
		return all
	}
	return append(all, fmt.Sprintf("what profiles say now holds when they begin anew for "+
		"tunnels: %d%s, sessions: %d", len(tunnels), listNames(tunnels), sessions))
}

// listNames names tunnels if they are few.
func listNames(tunnels []*api.Tunnel) string {
	if len(tunnels) == 0 || len(tunnels) > 5 {
		return ""
	}
	var names []string
	for _, t := range tunnels {
		names = append(names, t.GetTunnelName())
	}
	return " (" + strings.Join(names, ", ") + ")"
}

// outdated finds the tunnels, and counts the sessions, that go on and would be something
// else if they began now.
func (p *plan) outdated() (tunnels []*api.Tunnel, sessions int) {
	touched, profiles := make(map[proto.Message]bool), false
	for _, c := range p.changes {
		if profiles = profiles || !c.kind.Live; c.kind.Live && c.new != nil {
			touched[c.new] = true
		}
	}
	if !profiles {
		return nil, 0
	}
	type pair struct{ old, new config.Tunnel }
	resolved := make(map[*api.Tunnel]pair)
	for _, t := range p.new.Tunnels() {
		old, err1 := p.old.ResolveTunnel(t)
		new, err2 := p.new.ResolveTunnel(t)
		if err1 != nil || err2 != nil {
			continue
		}
		resolved[t] = pair{old, new}
		if old != new && !touched[t] {
			tunnels = append(tunnels, t)
		}
	}
	changed := make(map[sessionShape]bool)
	for _, s := range p.new.Sessions() {
		t := p.new.TunnelOf(s)
		in, ok := resolved[t]
		if !ok || touched[s] || touched[t] {
			continue
		}
		shape := shapeOf(t, s)
		is, known := changed[shape]
		if !known {
			old, err1 := p.old.ResolveSession(in.old, s)
			new, err2 := p.new.ResolveSession(in.new, s)
			is = err1 == nil && err2 == nil && old != new
			changed[shape] = is
		}
		if is {
			sessions++
		}
	}
	return tunnels, sessions
}

// A sessionShape is what of a session decides on what profiles do for it. Most sessions
// of a tunnel are alike in that.
type sessionShape struct {
	tunnel     *api.Tunnel
	profile    string
	kind       api.SessionType
	parameters string
}

func shapeOf(t *api.Tunnel, s *api.Session) sessionShape {
	shape := sessionShape{tunnel: t, profile: s.GetProfileName(), kind: s.GetSessionType()}
	if own := s.GetParameters(); own != nil {
		shape.parameters = own.String()
	}
	return shape
}
