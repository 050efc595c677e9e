package engine

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"culvert/internal/dataplane"
	"culvert/l2tp"
	"culvert/ppp"
)

// frame describes the PPP frame in a data message; control messages have none.
func (n noted) frame() string {
	if n.header.Control {
		return ""
	}
	return ppp.Describe(n.payload)
}

// A said is a PPP frame that a host sent, in words.
type said struct {
	at   time.Time
	text string
}

// frames returns the PPP frames that a host sent from a time on and that begin so.
func (s *scene) frames(from netip.Addr, since time.Time, prefix string) []said {
	var all []said
	for _, n := range s.seen.since(from, since) {
		if text := n.frame(); text != "" && strings.HasPrefix(text, prefix) {
			all = append(all, said{n.at, text})
		}
	}
	return all
}

// wantFrame wants the first frame that begins so to have words in it, and any of
// them not to have others.
func (s *scene) wantFrame(from netip.Addr, prefix, has string, hasNot ...string) {
	s.Helper()
	all := s.frames(from, time.Time{}, prefix)
	if len(all) == 0 {
		s.Fatalf("%v sent no %s", from, prefix)
	}
	if !strings.Contains(all[0].text, has) {
		s.Errorf("%v sent %s, want %q in it", from, all[0].text, has)
	}
	for _, f := range all {
		for _, not := range hasNot {
			if strings.Contains(f.text, not) {
				s.Errorf("%v sent %s, want no %q in it", from, f.text, not)
			}
		}
	}
}

// wantRepeated wants a host to have sent so many frames that begin so, at an interval.
func (s *scene) wantRepeated(from netip.Addr, since time.Time, prefix string, n int,
	interval time.Duration) {
	s.Helper()
	all := s.frames(from, since, prefix)
	if len(all) != n {
		s.Errorf("%v sent %d of %s, want %d: %v", from, len(all), prefix, n, all)
	}
	for i := 1; i < len(all); i++ {
		if d := all[i].at.Sub(all[i-1].at); d != interval {
			s.Errorf("%v sent %s after %v, want %v", from, all[i].text, d, interval)
		}
	}
}

// lose has the wire lose the frames of a host that begin so; all, if prefix is empty.
func (s *scene) lose(from netip.Addr, prefix string) {
	s.seen.drop(func(n noted) bool {
		text := n.frame()
		return n.src.Addr() == from && text != "" && strings.HasPrefix(text, prefix)
	})
}

// again begins another session of the LAC, and returns when.
func (s *scene) again() time.Time {
	s.Helper()
	begin := time.Now()
	s.modify(s.lac, fmt.Sprintf("session create tunnel_name=office session_name=at%d"+
		" user_name=alice user_password=wonderland\n", begin.UnixNano()))
	return begin
}

// another begins one and gives it the time to come up.
func (s *scene) another() {
	s.Helper()
	s.again()
	pass(time.Second)
}

// key is the data plane's name for the only session of a host.
func (h *host) key() dataplane.SessionKey {
	h.t.Helper()
	list := h.sessions()
	if len(list) != 1 {
		h.t.Fatalf("%d sessions, want 1", len(list))
	}
	return dataplane.SessionKey{
		Tunnel:  l2tp.TunnelID(list[0].GetTunnelId()),
		Session: l2tp.SessionID(list[0].GetSessionId()),
	}
}

// inject has the LNS receive a frame that the LAC never sent.
func (s *scene) inject(frame string) {
	s.Helper()
	to, sent := s.lns.key(), s.seen.from(lacAddr)
	last := sent[len(sent)-1]
	b := []byte{0, 2, byte(to.Tunnel >> 8), byte(to.Tunnel), byte(to.Session >> 8), byte(to.Session)}
	s.wire.Send(last.src, last.dst, append(b, frame...))
	pass(time.Second)
}
