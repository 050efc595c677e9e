package engine

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"culvert/internal/dataplane"
	"culvert/l2tp"
)

// pppRows show what the parameters of a PPP profile do. The usual place of one
// is the default profile of the host at lacAddr; at: lnsAddr is the other one.
var pppRows = merged(pppLinkRows, pppLimitRows, pppAuthRows, pppNetworkRows, pppLifeRows)

func merged(parts ...map[string][]row) map[string][]row {
	all := make(map[string][]row)
	for _, rows := range parts {
		maps.Copy(all, rows)
	}
	return all
}

// Configure-Requests, as they begin in words.
const (
	lcpRequest  = "LCP Configure-Request"
	ipcpRequest = "IPCP Configure-Request"
)

var pppLinkRows = map[string][]row{
	"profile_name": {{
		lac:     "ppp profile create profile_name=row mtu=1210\n",
		session: " ppp_profile_name=row",
		show:    func(s *scene) { s.wantPlane(s.lac, "mtu 1210") },
	}},
	"mtu": {{name: "ours", value: "1200", show: func(s *scene) {
		s.wantUp(1)
		s.wantPlane(s.lac, "mtu 1200")
	}}, {
		name: "not more by the peer's MRU", value: "1200", lns: pppDefault("mru=1400"),
		show: func(s *scene) { s.wantPlane(s.lac, "mtu 1200") },
	}, {
		name: "less by the peer's MRU", value: "1200", lns: pppDefault("mru=1100"),
		show: func(s *scene) { s.wantPlane(s.lac, "mtu 1100") },
	}},
	"mru": {{value: "1200", show: func(s *scene) {
		s.wantFrame(lacAddr, lcpRequest, "<mru 1200>")
		s.wantPlane(s.lac, "mru 1200")
		s.wantPlane(s.lns, "mtu 1200")
	}}},
	"asyncmap": {{value: "655360", session: " framing_type=sync", show: func(s *scene) {
		s.wantFrame(lacAddr, lcpRequest, "<accm 000a0000>")
	}}, {
		name: "by the default profile", lac: pppDefault("asyncmap=655360") +
			"ppp profile create profile_name=row\n",
		session: " framing_type=sync ppp_profile_name=row",
		show:    func(s *scene) { s.wantFrame(lacAddr, lcpRequest, "<accm 000a0000>") },
	}, {
		// The LAC's modem is told (RFC 2661, 6.14).
		name: "at the LNS", at: lnsAddr, value: "655360",
		lac: pppDefault("asyncmap=7"), session: " framing_type=async", show: func(s *scene) {
			same(s, "SLI", fmt.Sprintf("%x", *firstSent[*l2tp.SLI](s, lnsAddr)), "{{7 a0000}}")
		},
	}},
	"sync_mode": {{
		name: "sync", value: "sync", lac: pppDefault("asyncmap=1"), session: " framing_type=async",
		show: func(s *scene) { s.wantFrame(lacAddr, lcpRequest, "<magic", "<accm") },
	}, {
		name: "async", value: "async", session: " framing_type=sync",
		show: func(s *scene) { s.wantFrame(lacAddr, lcpRequest, "<accm 00000000>") },
	}, {
		name: "any in a synchronous call", value: "any", session: " framing_type=sync",
		show: func(s *scene) { s.wantFrame(lacAddr, lcpRequest, "<magic", "<accm") },
	}, {
		name: "any in an asynchronous call", value: "any", session: " framing_type=async",
		show: func(s *scene) { s.wantFrame(lacAddr, lcpRequest, "<accm 00000000>") },
	}},
	"trace_flags": {{value: "ppp_control", show: func(s *scene) {
		s.lac.wantLog("LCP Configure-Request")
		s.lac.wantLog("CHAP Response")
		if strings.Contains(s.lns.logs.String(), "LCP Configure-Request") {
			s.Error("the LNS traces what it was not told to")
		}
	}}},
	"multilink": {{at: lnsAddr, value: "yes", show: func(s *scene) {
		s.wantFrame(lnsAddr, lcpRequest, "", "<17", "mrru", "<19", "endpoint")
		s.inject("\xff\x03\xc0\x21\x01\x63\x00\x08\x11\x04\x05\xdc") // a request with an MRRU
		s.wantFrame(lnsAddr, "LCP Configure-Reject", "05dc")
		pass(10 * time.Second)
		s.wantUp(1)
	}}},
}

var pppLimitRows = map[string][]row{
	"lcp_max_config_requests": {{value: "3", show: func(s *scene) {
		s.lose(lnsAddr, "")
		begin := s.again()
		pass(time.Minute)
		s.wantRepeated(lacAddr, begin, lcpRequest, 3, 3*time.Second)
	}}},
	"lcp_retransmit_interval": {{value: "2", show: func(s *scene) {
		s.lose(lnsAddr, "")
		begin := s.again()
		pass(time.Minute)
		s.wantRepeated(lacAddr, begin, lcpRequest, 10, 2*time.Second)
	}}},
	"lcp_max_config_naks": {{
		// The LAC wants PAP, and the LNS two other methods, one after the other.
		value: "1", lac: only("pap"), lns: pppDefault("auth_pap=no auth_eap=no auth_mschapv1=no"),
		show: func(s *scene) {
			same(s, "Configure-Naks", len(s.frames(lacAddr, time.Time{}, "LCP Configure-Nak")), 1)
			s.wantFrame(lacAddr, "LCP Configure-Reject", "<auth CHAP-MD5>")
		},
	}},
	"lcp_max_terminate_requests": {{value: "2", show: func(s *scene) {
		s.lose(lacAddr, "LCP Terminate-Request")
		begin := time.Now()
		s.modify(s.lac, "session delete tunnel_name=office session_name=s1\n")
		pass(time.Minute)
		s.wantRepeated(lacAddr, begin, "LCP Terminate-Request", 2, 3*time.Second)
	}}},
	"lcp_echo_interval": {{value: "7", after: time.Minute, show: func(s *scene) {
		s.wantRepeated(lacAddr, time.Time{}, "LCP Echo-Request", 8, 7*time.Second)
		s.wantUp(1)
	}}},
	"lcp_echo_failure_count": {{value: "2", lac: pppDefault("lcp_echo_interval=5"),
		show: func(s *scene) {
			s.lose(lnsAddr, "")
			pass(time.Minute)
			s.wantRepeated(lacAddr, time.Time{}, "LCP Echo-Request", 2, 5*time.Second)
			s.wantFrame(lacAddr, "LCP Terminate-Request", "Peer not responding")
		}}},
	"ipcp_max_config_requests": {{value: "4", show: func(s *scene) {
		s.lose(lnsAddr, "IPCP")
		begin := s.again()
		pass(time.Minute)
		s.wantRepeated(lacAddr, begin, ipcpRequest, 4, 3*time.Second)
		s.wantUp(2) // by IPv6
	}}},
	"ipcp_retransmit_interval": {{value: "5", show: func(s *scene) {
		s.lose(lnsAddr, "IPCP")
		begin := s.again()
		pass(100 * time.Second)
		s.wantRepeated(lacAddr, begin, ipcpRequest, 10, 5*time.Second)
		s.lose(lacAddr, "LCP Terminate-Request")
		s.modify(s.lac, "session delete tunnel_name=office session_name=s1\n")
		pass(30 * time.Second)
		s.wantRepeated(lacAddr, begin, "LCP Terminate-Request", 3, 3*time.Second)
	}}},
	"ipcp_max_config_naks": {{at: lnsAddr, value: "2", lac: pppDefault("local_ipaddr=10.9.0.77"),
		show: func(s *scene) {
			same(s, "Configure-Naks", len(s.frames(lnsAddr, time.Time{}, "IPCP Configure-Nak")), 2)
			s.wantFrame(lnsAddr, "IPCP Configure-Reject", "<address 10.9.0.77>")
		}}},
	"ipcp_max_terminate_requests": {{at: lnsAddr, value: "4", show: func(s *scene) {
		s.modify(s.lac, pppDefault("local_ipaddr=10.9.0.77")) // the LNS will not have it
		s.lose(lacAddr, "IPCP Terminate-Ack")
		begin := s.again()
		pass(time.Minute)
		s.wantRepeated(lnsAddr, begin, "IPCP Terminate-Request", 4, 3*time.Second)
		s.wantUp(2)
	}}},
	"pap_max_auth_requests": {{value: "4", lns: only("pap"), show: func(s *scene) {
		s.lose(lnsAddr, "PAP")
		begin := s.again()
		pass(time.Minute)
		s.wantRepeated(lacAddr, begin, "PAP Authenticate-Request", 4, 3*time.Second)
		s.wantUp(1)
	}}},
	"pap_restart_interval": {{value: "8", lns: only("pap") +
		pppDefault("ipcp_max_config_requests=100"), show: func(s *scene) {
		s.lose(lnsAddr, "PAP")
		begin := s.again()
		pass(100 * time.Second)
		s.wantRepeated(lacAddr, begin, "PAP Authenticate-Request", 10, 8*time.Second)
	}}},
	"pap_timeout": {{name: "set", at: lnsAddr, value: "20", lns: only("pap"), show: func(s *scene) {
		s.lose(lacAddr, "PAP")
		begin := s.again()
		pass(time.Minute)
		s.wantTerminated(begin, 20*time.Second, "Authentication timed out")
	}}, {
		name: "unlimited", at: lnsAddr, value: "0", lns: only("pap"),
		lac: pppDefault("pap_max_auth_requests=100"), show: func(s *scene) {
			s.lose(lacAddr, "PAP")
			begin := s.again()
			pass(110 * time.Second) // session_establish_timeout comes then
			same(s, "ended", len(s.frames(lnsAddr, begin, "LCP Terminate-Request")), 0)
		},
	}},
	"chap_max_challenge": {{at: lnsAddr, value: "4", show: func(s *scene) {
		s.lose(lacAddr, "CHAP")
		begin := s.again()
		pass(time.Minute)
		s.wantRepeated(lnsAddr, begin, "CHAP Challenge", 4, 3*time.Second)
	}}},
	"chap_restart": {{at: lnsAddr, value: "9", lac: pppDefault("chap_restart=9"), show: func(s *scene) {
		s.lose(lacAddr, "CHAP")
		begin := s.again()
		pass(100 * time.Second)
		s.wantRepeated(lnsAddr, begin, "CHAP Challenge", 10, 9*time.Second)
	}}},
	"chap_interval": {{at: lnsAddr, value: "20", after: 70 * time.Second, show: func(s *scene) {
		s.wantRepeated(lnsAddr, time.Time{}, "CHAP Challenge", 4, 20*time.Second)
		s.wantUp(1)
	}}},
}

// wantTerminated wants the LNS to have closed a link a while after a time, and to
// have said why. Negotiation before takes no time here.
func (s *scene) wantTerminated(begin time.Time, after time.Duration, why string) {
	s.Helper()
	all := s.frames(lnsAddr, begin, "LCP Terminate-Request")
	if len(all) == 0 {
		s.Fatalf("the LNS sent no Terminate-Request since %v", begin)
	}
	if !strings.Contains(all[0].text, why) {
		s.Errorf("the LNS sent %s, want %q in it", all[0].text, why)
	}
	if d := all[0].at.Sub(begin); d < after || d > after+time.Second {
		s.Errorf("the LNS closed the link after %v, want %v", d, after)
	}
}

// TestUnproxied: a peer whose address no network has is served all the same, and it
// is said once.
func TestUnproxied(t *testing.T) {
	lns := lnsConfig + pppDefault("proxy_arp=yes")
	inBubble(t, lns, "", func(_ *dataplane.Wire, lns, lac *host) {
		lns.fake.SetHook(func(_ context.Context, op dataplane.Op, _ dataplane.SessionKey) error {
			if op == dataplane.OpConfigure {
				return dataplane.ErrNoProxyARP
			}
			return nil
		})
		lac.declare(lacConfig)
		pass(time.Second)
		if n := lns.count.sessionsUp.Load(); n != 1 {
			t.Errorf("%d sessions are up, want 1", n)
		}
		if n := strings.Count(lns.logs.String(), "proxy_arp has no effect"); n != 1 {
			t.Errorf("it was said %d times, want once", n)
		}
	})
}
