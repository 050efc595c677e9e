package engine

import (
	"context"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"time"

	"culvert/api"
	"culvert/internal/management"
	"culvert/l2tp"
)

// create creates a session in the LAC's tunnel.
func (s *scene) create(params string) {
	s.Helper()
	s.modify(s.lac, "session create tunnel_name=office "+params)
}

// modifyPeers is the command that modifies the LNS's tunnel.
func (s *scene) modifyPeers(params string) string {
	s.Helper()
	return "tunnel modify tunnel_id=" + str(s.lns.tunnel().GetTunnelId()) + " " + params
}

// endPeers has the LNS end the tunnel.
func (s *scene) endPeers() {
	s.Helper()
	s.modify(s.lns, "tunnel delete tunnel_id="+str(s.lns.tunnel().GetTunnelId()))
	pass(500 * time.Millisecond)
}

// tunnel is the host's only tunnel.
func (h *host) tunnel() *api.Tunnel {
	h.t.Helper()
	list, err := h.ListTunnels(context.Background(), management.Page{Limit: 2})
	if err != nil || len(list) != 1 {
		h.t.Fatalf("ListTunnels = %v, %v, want one", list, err)
	}
	return list[0]
}

// wantNoPlane checks that a host's data plane does not hold something, in words.
func (s *scene) wantNoPlane(h *host, text string) {
	s.Helper()
	if got := h.fake.String(); strings.Contains(got, text) {
		s.Errorf("the data plane holds %q:\n%s", text, got)
	}
}

// wantHellos checks how many Hellos a host has sent.
func (s *scene) wantHellos(addr netip.Addr, want int) {
	s.Helper()
	same(s, "Hellos", len(sent[*l2tp.HELLO](s, addr)), want)
}

// unanswered has the wire lose everything and the LAC hang up a call, and says how
// often it said so in some time.
func (s *scene) unanswered(d time.Duration) int {
	s.Helper()
	pass(time.Second) // what is owed is acknowledged
	s.seen.drop(func(noted) bool { return true })
	s.lac.onShard(func(t *tunnel) {
		for id := range t.sessions {
			t.shard.step(t, l2tp.HangUp{Session: id, Result: l2tp.Result{Code: l2tp.CDNAdministrative}})
		}
	})
	pass(d)
	defer s.seen.drop(nil)
	return len(sent[*l2tp.CDN](s, lacAddr))
}

// wantIdle checks that the LAC's tunnel goes so long after its session.
func (s *scene) wantIdle(d time.Duration) {
	s.Helper()
	pass(2 * time.Minute)
	s.wantUp(1)
	s.modify(s.lac, "session delete tunnel_name=office session_name=s1")
	pass(d - 2*time.Second)
	same(s, "tunnels", s.lac.count.tunnelsEstablished.Load(), 1)
	pass(4 * time.Second)
	same(s, "tunnels", s.lac.count.tunnelsEstablished.Load(), 0)
}

// outstanding is how many messages of the LAC were not acknowledged at most.
func (s *scene) outstanding() int {
	most, sent, acked := 0, uint16(0), uint16(0)
	for _, n := range s.seen.from(netip.Addr{}) {
		switch {
		case !n.header.Control:
		case n.src.Addr() == lnsAddr:
			acked = n.header.Nr
		case n.message != nil:
			sent = n.header.Ns + 1
			most = max(most, int(sent-acked))
		}
	}
	return most
}

// proxyUser lets the LNS take what a LAC has learnt by PAP.
const proxyUser = "user create user_name=carol user_password=friday\n"

// proxySession is a raw session of a LAC that has done LCP and PAP with its caller.
const proxySession = " no_ppp=yes proxy_auth_type=pap proxy_auth_name=carol proxy_auth_id=1" +
	" proxy_auth_response=667269646179" + // friday
	" last_sent_lcp_confreq=0304c023050611223344 last_rcvd_lcp_confreq=010405dc050655667788"

// wantTakenOver checks that the LNS goes on where the LAC stopped: it does no LCP of
// its own, and the user is known.
func wantTakenOver(s *scene) {
	s.Helper()
	if all := s.frames(lnsAddr, time.Time{}, lcpRequest); len(all) > 0 {
		s.Errorf("the LNS sent %v, want no LCP", all)
	}
	s.wantFrame(lnsAddr, "PAP Authenticate-Ack", "")
	s.wantFrame(lnsAddr, "IPCP Configure-Request", "")
	same(s, "user", s.lns.sessions()[0].Status.User, "carol")
}

// wantAnew checks that the LNS begins with LCP, whatever the LAC has done.
func wantAnew(s *scene) {
	s.Helper()
	s.wantFrame(lnsAddr, lcpRequest, "")
	if all := s.frames(lnsAddr, time.Time{}, "PAP"); len(all) > 0 {
		s.Errorf("the LNS sent %v, want that the caller proves itself anew", all)
	}
}

// wantProxy checks what the ICCN says that the LAC has done.
func wantProxy(want l2tp.Proxy) func(s *scene) {
	return func(s *scene) {
		s.Helper()
		got := firstSent[*l2tp.ICCN](s, lacAddr).Proxy
		if !reflect.DeepEqual(got, want) {
			s.Errorf("the ICCN has %+v, want %+v", got, want)
		}
		if got.AuthResponse != want.AuthResponse {
			s.Error("the response is another one")
		}
	}
}

func wantCalling(s *scene) {
	s.Helper()
	same(s, "Calling Number", firstSent[*l2tp.ICRQ](s, lacAddr).CallingNumber, "5550001")
	same(s, "calling_number", s.lns.sessions()[0].Status.CallingNumber, "5550001")
}

func wantBPS(s *scene) {
	s.Helper()
	m, st := firstSent[*l2tp.OCRQ](s, lacAddr), s.lns.sessions()[0].Status
	same(s, "Minimum BPS", m.MinimumBPS, 64000)
	same(s, "Maximum BPS", m.MaximumBPS, 128000)
	same(s, "minimum_bps", st.MinimumBps, 64000)
	same(s, "maximum_bps", st.MaximumBps, 128000)
}

// wantSpeeds checks the speeds that a host was told.
func (s *scene) wantSpeeds(h *host) {
	s.Helper()
	st := h.sessions()[0].Status
	same(s, "tx_connect_speed", st.TxConnectSpeed, 1000)
	same(s, "rx_connect_speed", st.RxConnectSpeed, 2000)
}

// modifyPeersSession is the command that modifies the LNS's session.
func (s *scene) modifyPeersSession(params string) string {
	s.Helper()
	key := s.lns.key()
	return fmt.Sprintf("session modify tunnel_id=%d session_id=%d %s", key.Tunnel, key.Session, params)
}

// wantNumbered checks that the LNS numbers its data, on the wire too.
func (s *scene) wantNumbered() {
	s.Helper()
	s.wantPlane(s.lns, "send-sequence")
	begin := time.Now()
	packet := append([]byte{0x45}, make([]byte, 99)...)
	if err := s.lns.fake.SendPacket(s.lns.key(), packet); err != nil {
		s.Fatal(err)
	}
	pass(time.Millisecond)
	for _, n := range s.seen.since(lnsAddr, begin) {
		if !n.header.Control && n.header.HasSequence {
			return
		}
	}
	s.Error("no data message has a number")
}
