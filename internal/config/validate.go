package config

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/internal/schema"
)

// check finds parameters that cannot be together, and warns of those that do not
// do what they seem to.
func (s *Snapshot) check() (broken []*objectError) {
	for _, m := range objects[*api.SessionProfile](s) {
		n := m.GetParameters().GetInterfaceName()
		if n != "" && !strings.Contains(n, "%s") {
			broken = append(broken, &objectError{m, "interface_name", "interface_name=" + n +
				": expected %s in it, since a profile is for more than one session"})
		}
	}
	for _, m := range objects[*api.PPPProfile](s) {
		if fault := s.checkPPP(m); fault != nil {
			broken = append(broken, fault)
		}
	}
	return append(broken, s.checkDeclared()...)
}

func (s *Snapshot) checkPPP(m *api.PPPProfile) *objectError {
	eff := s.Effective(m).(*api.PPPProfile)
	if !eff.GetIpv4() && !eff.GetIpv6() {
		return &objectError{m, "ipv4", "ipv4=no and ipv6=no: expected one of them to be yes"}
	}
	anyWay := eff.GetAuthPap() || eff.GetAuthChap() || eff.GetAuthMschapv1() ||
		eff.GetAuthMschapv2() || eff.GetAuthEap()
	if authPeer(eff, api.SessionType_SESSION_TYPE_LNIC) && !anyWay {
		return &objectError{m, "auth_peer", "callers must authenticate, but every way to do so " +
			"is off: expected one of auth_pap, auth_chap, auth_mschapv1, auth_mschapv2 and " +
			"auth_eap to be yes, or auth_peer=no"}
	}
	return nil
}

// checkDeclared checks the tunnels and sessions that are to exist.
func (s *Snapshot) checkDeclared() (broken []*objectError) {
	tunnels := make(map[*api.Tunnel]Tunnel)
	numbers, ids := make(map[*api.Tunnel]uint64), make(map[uint64]proto.Message)
	for i, m := range s.Tunnels() {
		numbers[m] = uint64(i) + 1
		broken = append(broken, taken(ids, m, m.TunnelId, 0, "tunnel_id")...)
		t, err := s.ResolveTunnel(m)
		if fault, ok := err.(*objectError); ok {
			broken = append(broken, fault)
			continue
		}
		tunnels[m] = t
	}
	for _, m := range s.Sessions() {
		t := s.tunnelOf(m)
		if t == nil {
			broken = append(broken, &objectError{m, "tunnel_name",
				"there is no " + schema.Label(tunnelKey(m)) + s.tunnelHint(m)})
			continue
		}
		r, ok := tunnels[t]
		if !ok {
			continue
		}
		broken = append(broken, taken(ids, m, m.SessionId, numbers[t]<<16, "session_id")...)
		if _, err := s.ResolveSession(r, m); err != nil {
			broken = append(broken, err.(*objectError))
		}
	}
	return broken
}

// taken reports an ID that two tunnels, or two sessions of one tunnel, are to have.
func taken(ids map[uint64]proto.Message, m proto.Message, id *uint32, of uint64,
	param string) []*objectError {
	if id == nil {
		return nil
	}
	other, ok := ids[of|uint64(*id)]
	if ok {
		return []*objectError{{m, param, fmt.Sprintf("%s=%d is also that of %s", param, *id,
			schema.Label(other))}}
	}
	ids[of|uint64(*id)] = m
	return nil
}

// tunnelHint is the nearest name of a tunnel for a session that names none.
func (s *Snapshot) tunnelHint(m *api.Session) string {
	return schema.DidYouMean(m.GetTunnelName(), s.table(schema.KindOf(&api.Tunnel{})).names())
}

// inObject names the object in an error that does not name it yet.
func inObject(m proto.Message, err error) error {
	if t, ok := err.(*tunnelError); ok {
		return &objectError{m, t.param, t.msg}
	}
	return err
}

func tunnelKey(m *api.Session) *api.Tunnel {
	return &api.Tunnel{TunnelName: m.TunnelName, TunnelId: m.TunnelId}
}

// tunnelOf finds the declared tunnel of a session, or returns nil.
func (s *Snapshot) tunnelOf(m *api.Session) *api.Tunnel {
	if t, ok := s.Object(tunnelKey(m)); ok {
		return t.(*api.Tunnel)
	}
	for _, t := range s.Tunnels() {
		if m.TunnelId != nil && t.TunnelId != nil && m.GetTunnelId() == t.GetTunnelId() ||
			m.TunnelName != nil && m.GetTunnelName() == t.GetTunnelName() {
			return t
		}
	}
	return nil
}

// A tunnelError is a fault in how parameters of a tunnel or session go together.
type tunnelError struct{ param, msg string }

func (e *tunnelError) Error() string        { return e.msg }
func (e *tunnelError) Is(target error) bool { return target == ErrInvalid }

func checkTunnel(t Tunnel) error {
	p := t.Parameters
	switch {
	case p.HideAVPs && p.Secret == "":
		return &tunnelError{"hide_avps", "hide_avps=yes needs a secret"}
	case p.AuthMode == api.AuthMode_AUTH_MODE_CHALLENGE && p.Secret == "":
		return &tunnelError{"auth_mode", "auth_mode=challenge needs a secret"}
	case p.PersistMaxDelay < p.PersistDelay:
		return &tunnelError{"persist_delay",
			fmt.Sprintf("persist_delay=%d is more than persist_max_delay=%d",
				p.PersistDelay/time.Second, p.PersistMaxDelay/time.Second)}
	case p.Src.IsValid() && t.Dest.Addr.IsValid() && p.Src.Is4() != t.Dest.Addr.Is4():
		return &tunnelError{"src_ipaddr",
			fmt.Sprintf("src_ipaddr=%s and dest_ipaddr=%s are not of one family",
				p.Src, t.Dest.Addr)}
	}
	return nil
}

// checkSession checks what a session is: which call, and whether we may be its LAC
// or LNS towards the tunnel's peer.
func checkSession(m *api.Session, r Session, role api.Role) error {
	const laic, lnoc = api.SessionType_SESSION_TYPE_LAIC, api.SessionType_SESSION_TYPE_LNOC
	switch {
	case r.Type != laic && r.Type != lnoc:
		return &objectError{m, "session_type",
			"session_type: expected laic or lnoc, the others are begun by a peer"}
	case r.Type == laic && role == api.Role_ROLE_LNS:
		return &objectError{m, "session_type",
			"session_type=laic: by lac_lns of the peer profile we are LNS only: expected lnoc"}
	case r.Type == lnoc && role == api.Role_ROLE_LAC:
		return &objectError{m, "session_type",
			"session_type=lnoc: by lac_lns of the peer profile we are LAC only: expected laic"}
	}
	return nil
}
