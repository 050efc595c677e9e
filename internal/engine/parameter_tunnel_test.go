package engine

import (
	"strings"
	"time"

	"culvert/l2tp"
)

// tunnelRows show what the parameters of a tunnel do.
var tunnelRows = map[string][]row{
	"tunnel_name": {{seenBy: "internal/engine/modify_test.go:TestRename"}},
	"tunnel_id": {{value: "77", show: func(s *scene) {
		same(s, "Assigned Tunnel ID", firstSent[*l2tp.SCCRQ](s, lacAddr).AssignedTunnelID, 77)
		s.wantUp(1)
	}}},
	"dest_ipaddr": {{lac: "tunnel profile create profile_name=pop dest_ipaddr=192.0.2.77\n",
		show: func(s *scene) {
			same(s, "peer", s.lac.office().Status.PeerAddress, "192.0.2.1:1701")
			s.modify(s.lac, "tunnel create tunnel_name=pop profile_name=pop")
			for _, n := range s.seen.from(lacAddr) {
				if n.dst.Addr().String() == "192.0.2.77" {
					return
				}
			}
			s.Error("nothing was sent to where the profile says")
		}}},
	"profile_name": {{value: "named", in: "tunnel",
		lac: "tunnel profile create profile_name=named host_name=branch\n",
		show: func(s *scene) {
			same(s, "Host Name", firstSent[*l2tp.SCCRQ](s, lacAddr).HostName, "branch")
		}}},
	"peer_profile_name": {
		{value: "pop", lac: popProfiles, show: func(s *scene) { s.wantPlane(s.lac, "link pop") }},
		{name: "modified", lac: popProfiles, show: func(s *scene) {
			s.modify(s.lac, "tunnel modify tunnel_name=office peer_profile_name=pop")
			s.another()
			s.wantPlane(s.lac, "link pop")
		}},
	},
	"session_profile_name": {
		{value: "pop", lac: popProfiles, show: func(s *scene) { s.wantPlane(s.lac, "link pop") }},
		{name: "modified", lac: popProfiles, show: func(s *scene) {
			s.modify(s.lac, "tunnel modify tunnel_name=office session_profile_name=pop")
			s.another()
			s.wantPlane(s.lac, "link pop")
		}},
		{name: "of the peer's tunnel", lns: popProfiles, show: func(s *scene) {
			s.modify(s.lns, s.modifyPeers("session_profile_name=pop"))
			s.another()
			s.wantPlane(s.lns, "link pop")
		}},
	},
	"ppp_profile_name": {
		{value: "small", lac: "ppp profile create profile_name=small mtu=1111\n",
			show: func(s *scene) { s.wantPlane(s.lac, "mtu 1111") }},
		{name: "of the peer's tunnel", lns: "ppp profile create profile_name=small mtu=1111 " +
			"local_ipaddr=10.9.0.1 ip_pool_name=home\n", show: func(s *scene) {
			s.modify(s.lns, s.modifyPeers("ppp_profile_name=small"))
			s.another()
			s.wantPlane(s.lns, "mtu 1111")
		}},
	},
	"config_id": {
		{value: "7", show: func(s *scene) { same(s, "config_id", s.lac.office().GetConfigId(), 7) }},
		{name: "unique", seenBy: "internal/engine/modify_test.go:TestConfigIDs"},
	},
	"src_ipaddr": {
		{value: "192.0.2.2", show: func(s *scene) { s.wantUp(1) }},
		{name: "of another host", value: "192.0.2.66", show: func(s *scene) {
			s.lac.wantLog("local address 192.0.2.66: not of this host")
			s.wantUp(0)
		}},
	},
	"peer_udp_port": {{value: "5000", show: func(s *scene) {
		same(s, "port", s.seen.from(lacAddr)[0].dst.Port(), 5000)
	}}},
	"our_udp_port": {
		{value: "4000", show: func(s *scene) {
			same(s, "port", s.seen.from(lacAddr)[0].src.Port(), 4000)
			s.wantUp(1)
		}},
		{name: "of the LNS", value: "4000", at: lnsAddr, in: "tunnel profile modify profile_name=default",
			show: func(s *scene) {
				same(s, "port", s.seen.from(lnsAddr)[0].src.Port(), 4000)
				s.wantUp(1)
			}},
		{name: "ephemeral", value: "0", show: func(s *scene) {
			if port := s.seen.from(lacAddr)[0].src.Port(); port == 1701 {
				s.Error("the tunnel has port 1701")
			}
			s.wantUp(1)
		}},
	},
	"use_tiebreaker": {{value: "yes", show: func(s *scene) {
		if firstSent[*l2tp.SCCRQ](s, lacAddr).TieBreaker == nil {
			s.Error("the SCCRQ has no tie breaker")
		}
	}}},
	"framing_caps": {
		{value: "sync", show: func(s *scene) {
			same(s, "Framing Capabilities",
				firstSent[*l2tp.SCCRQ](s, lacAddr).FramingCapabilities, l2tp.FramingSync)
			s.wantUp(1)
		}},
		{name: "none", value: "none", show: func(s *scene) {
			same(s, "Framing Capabilities",
				firstSent[*l2tp.SCCRQ](s, lacAddr).FramingCapabilities, l2tp.Framing(0))
		}},
	},
	"bearer_caps": {{value: "analog", show: func(s *scene) {
		same(s, "Bearer Capabilities",
			firstSent[*l2tp.SCCRQ](s, lacAddr).BearerCapabilities, l2tp.BearerAnalog)
	}}},
	"host_name": {{value: "branch", show: func(s *scene) {
		same(s, "Host Name", firstSent[*l2tp.SCCRQ](s, lacAddr).HostName, "branch")
	}}},
	"secret": {{value: "coffee", show: func(s *scene) { // the LNS's is tea
		same(s, "result", firstSent[*l2tp.StopCCN](s, lnsAddr).Result.Code, l2tp.StopNotAuthorized)
		s.wantUp(0)
	}}},
	"auth_mode": {
		{value: "challenge", show: func(s *scene) {
			if firstSent[*l2tp.SCCRQ](s, lacAddr).Challenge == nil {
				s.Error("the SCCRQ has no challenge")
			}
			s.wantUp(1)
		}},
		{name: "simple", seenBy: "internal/engine/limits_test.go:TestPeerProfileByName"},
	},
	"hide_avps": {{value: "yes", session: " calling_number=5550001", show: func(s *scene) {
		same(s, "Calling Number", firstSent[*l2tp.ICRQ](s, lacAddr).CallingNumber, "5550001")
		for _, n := range s.seen.from(lacAddr) {
			if strings.Contains(string(n.payload), "5550001") {
				s.Error("the number went over the wire in the clear")
			}
		}
		same(s, "Calling Number", s.lns.sessions()[0].Status.CallingNumber, "5550001")
	}}},
	"rx_window_size": {{value: "4", show: func(s *scene) {
		same(s, "Receive Window Size", firstSent[*l2tp.SCCRQ](s, lacAddr).ReceiveWindowSize, 4)
	}}},
	"tx_window_size": {{value: "2", show: func(s *scene) {
		for range 9 {
			s.create("user_name=alice user_password=wonderland")
		}
		pass(time.Second)
		s.wantUp(10)
		if n := s.outstanding(); n != 2 {
			s.Errorf("%d messages were outstanding at most, want 2", n)
		}
	}}},
	"use_udp_checksums": {
		{value: "no", show: func(s *scene) {
			s.wantPlane(s.lac, "no-checksum")
			s.modify(s.lac, "tunnel modify tunnel_name=office use_udp_checksums=yes")
			s.wantNoPlane(s.lac, "no-checksum")
		}},
		{name: "of the peer's tunnel", show: func(s *scene) {
			s.modify(s.lns, s.modifyPeers("use_udp_checksums=no"))
			s.wantPlane(s.lns, "no-checksum")
		}},
		{name: "in the kernel", seenBy: "kernel/sockopt_test.go:TestChecksums"},
	},
	"persist": {
		{value: "yes", show: func(s *scene) {
			s.endPeers()
			pass(10 * time.Second)
			s.wantUp(1)
		}},
		{name: "modified", show: func(s *scene) {
			s.modify(s.lac, "tunnel modify tunnel_name=office persist=yes")
			s.endPeers()
			pass(10 * time.Second)
			s.wantUp(1)
			s.modify(s.lac, "tunnel modify tunnel_name=office persist=no")
			s.endPeers()
			pass(time.Minute)
			s.wantUp(0)
		}},
	},
	"persist_delay": {{value: "9", tunnel: " persist=yes", show: func(s *scene) {
		s.endPeers()
		pass(8 * time.Second)
		s.wantUp(0)
		pass(2 * time.Second)
		s.wantUp(1)
	}}},
	"persist_max_delay": {{value: "4", tunnel: " persist=yes",
		lns: "system modify deny_remote_tunnel_creates=yes\n", show: func(s *scene) {
			pass(time.Minute)
			same(s, "attempts in a minute", s.lac.office().Status.Attempts, 17) // 0 1 3 7 11 ...
		}}},
	"hello_timeout": {
		{value: "7", after: 30 * time.Second, show: func(s *scene) { s.wantHellos(lacAddr, 4) }},
		{name: "off", value: "0", lns: "tunnel profile modify profile_name=default hello_timeout=0\n",
			after: time.Hour, show: func(s *scene) { s.wantHellos(lacAddr, 0) }},
		{name: "modified", show: func(s *scene) {
			s.modify(s.lac, "tunnel modify tunnel_name=office hello_timeout=3")
			pass(10 * time.Second)
			s.wantHellos(lacAddr, 3)
		}},
		{name: "of the peer's tunnel", show: func(s *scene) {
			s.modify(s.lns, s.modifyPeers("hello_timeout=3"))
			pass(10 * time.Second)
			s.wantHellos(lnsAddr, 3)
		}},
	},
	"max_retries": {
		{value: "2", show: func(s *scene) { same(s, "transmissions", s.unanswered(time.Minute), 3) }},
		{name: "modified", show: func(s *scene) {
			s.modify(s.lac, "tunnel modify tunnel_name=office max_retries=1")
			same(s, "transmissions", s.unanswered(time.Minute), 2)
		}},
	},
	"retry_timeout": {
		{value: "4",
			show: func(s *scene) { same(s, "transmissions", s.unanswered(3900*time.Millisecond), 1) }},
		{name: "modified", show: func(s *scene) {
			s.modify(s.lac, "tunnel modify tunnel_name=office retry_timeout=5")
			same(s, "transmissions", s.unanswered(5100*time.Millisecond), 2)
		}},
	},
	"idle_timeout": {
		{value: "30", show: func(s *scene) { s.wantIdle(30 * time.Second) }},
		{name: "modified", show: func(s *scene) {
			s.modify(s.lac, "tunnel modify tunnel_name=office idle_timeout=20")
			s.wantIdle(20 * time.Second)
		}},
	},
	"max_sessions": {
		{value: "1", show: func(s *scene) {
			s.another()
			s.lac.wantLog("max_sessions of the tunnel is reached")
			s.wantUp(1)
		}},
		{name: "of the peer's tunnel", show: func(s *scene) {
			s.modify(s.lns, s.modifyPeers("max_sessions=1"))
			s.another()
			same(s, "result", firstSent[*l2tp.CDN](s, lnsAddr).Result.Code, l2tp.CDNNoFacilitiesForNow)
			s.wantUp(1)
		}},
	},
	"mtu": {
		{value: "1300", show: func(s *scene) {
			s.wantUp(1)
			s.wantPlane(s.lac, "mtu 1300")
		}},
		{name: "of the peer's tunnel", show: func(s *scene) {
			s.modify(s.lns, s.modifyPeers("mtu=1300"))
			s.wantPlane(s.lns, "mtu 1300")
		}},
	},
	"allow_ppp_proxy": {{value: "yes", at: lnsAddr, in: "tunnel profile modify profile_name=default",
		lns: proxyUser, session: proxySession, show: wantTakenOver}},
	"do_pmtu_discovery": {
		{value: "yes", show: func(s *scene) {
			s.wantPlane(s.lac, "dont-fragment")
			s.wire.Narrow(1400)
			s.lac.fake.SendPacket(s.lac.key(), append([]byte{0x45}, make([]byte, 1459)...))
			pass(time.Second)
			s.wantPlane(s.lac, "mtu 1362") // less 20, 8, 6 and 4
		}},
		{name: "probes", seenBy: "internal/engine/pathmtu_test.go:TestPathMTU"},
	},
	"trace_flags": {{seenBy: "internal/engine/trace_test.go:TestTraceFlags"}},
	"interface_name": {
		{value: "wan%s", show: func(s *scene) { s.wantPlane(s.lac, "link wan") }},
		{name: "modified", show: func(s *scene) {
			s.modify(s.lac, "tunnel modify tunnel_name=office interface_name=wan%s")
			s.wantNoPlane(s.lac, "link wan")
			s.another()
			s.wantPlane(s.lac, "link wan")
		}},
	},
}

const popProfiles = "session profile create profile_name=pop interface_name=pop%s\n" +
	"peer profile create profile_name=pop session_profile_name=pop\n"
