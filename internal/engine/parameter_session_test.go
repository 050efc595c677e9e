package engine

import (
	"strings"
	"time"

	"culvert/api"
	"culvert/l2tp"
)

// sessionRows show what the parameters of a session do.
var sessionRows = map[string][]row{
	"tunnel_name":  {{seenBy: "internal/engine/modify_test.go:TestRename"}},
	"tunnel_id":    {{seenBy: "internal/engine/modify_test.go:TestRename"}},
	"session_name": {{seenBy: "internal/engine/modify_test.go:TestRename"}},
	"session_id": {{value: "99", show: func(s *scene) {
		same(s, "Assigned Session ID", firstSent[*l2tp.ICRQ](s, lacAddr).AssignedSessionID, 99)
		s.wantUp(1)
	}}},
	"profile_name": {{value: "pop", in: "session", lac: popProfiles,
		show: func(s *scene) { s.wantPlane(s.lac, "link pop") }}},
	"session_type": {
		{value: "lnoc", session: " called_number=5551234", show: func(s *scene) {
			firstSent[*l2tp.OCRQ](s, lacAddr)
			s.wantUp(1)
			same(s, "type", s.lns.sessions()[0].Status.Type, api.SessionType_SESSION_TYPE_LAOC)
		}},
		{name: "laic", value: "laic", show: func(s *scene) {
			firstSent[*l2tp.ICRQ](s, lacAddr)
			s.wantUp(1)
		}},
	},
	"user_name": {{lns: proxyUser, show: func(s *scene) {
		s.create("session_name=s2 user_name=carol user_password=friday")
		pass(time.Second)
		s.wantUp(2)
		if a, b := s.lns.sessions()[0], s.lns.sessions()[1]; a.Status.User == b.Status.User {
			s.Errorf("both sessions are those of %s", a.Status.User)
		}
	}}},
	"user_password": {{lns: proxyUser, show: func(s *scene) {
		s.create("session_name=s2 user_name=carol user_password=monday")
		pass(10 * time.Second)
		s.wantUp(1)
		s.lns.wantLog("authentication failed")
	}}},
	"calling_number": {{value: "5550001", show: wantCalling}},
	"called_number": {
		{value: "5550002", show: func(s *scene) {
			same(s, "Called Number", firstSent[*l2tp.ICRQ](s, lacAddr).CalledNumber, "5550002")
			same(s, "called_number", s.lns.sessions()[0].Status.CalledNumber, "5550002")
		}},
		{name: "outgoing", value: "5550002", session: " session_type=lnoc", show: func(s *scene) {
			same(s, "Called Number", firstSent[*l2tp.OCRQ](s, lacAddr).CalledNumber, "5550002")
			same(s, "called_number", s.lns.sessions()[0].Status.CalledNumber, "5550002")
		}},
	},
	"sub_address": {
		{value: "sub", show: func(s *scene) {
			same(s, "Sub-Address", firstSent[*l2tp.ICRQ](s, lacAddr).SubAddress, "sub")
			same(s, "sub_address", s.lns.sessions()[0].Status.SubAddress, "sub")
		}},
		{name: "outgoing", value: "sub", session: " session_type=lnoc", show: func(s *scene) {
			same(s, "Sub-Address", firstSent[*l2tp.OCRQ](s, lacAddr).SubAddress, "sub")
			same(s, "sub_address", s.lns.sessions()[0].Status.SubAddress, "sub")
		}},
	},
	"ppp_profile_name": {{value: "small", lac: "ppp profile create profile_name=small mtu=1111\n",
		show: func(s *scene) { s.wantPlane(s.lac, "mtu 1111") }}},
	"sequencing_required": {
		{value: "yes", show: func(s *scene) {
			same(s, "Sequencing Required", firstSent[*l2tp.ICCN](s, lacAddr).SequencingRequired, true)
			s.wantPlane(s.lac, "send-sequence require-sequence")
			s.wantPlane(s.lns, "send-sequence")
		}},
		{name: "outgoing", value: "yes", at: lnsAddr, session: " session_type=lnoc",
			show: func(s *scene) {
				same(s, "Sequencing Required", firstSent[*l2tp.OCCN](s, lnsAddr).SequencingRequired, true)
				s.wantPlane(s.lac, "send-sequence")
			}},
		{name: "modified", show: func(s *scene) {
			s.modify(s.lac, "session modify tunnel_name=office session_name=s1 sequencing_required=yes")
			s.wantPlane(s.lac, "send-sequence require-sequence")
			s.modify(s.lac, "session unset tunnel_name=office session_name=s1 sequencing_required")
			s.wantNoPlane(s.lac, "sequence")
		}},
		{name: "of the peer's session", show: func(s *scene) {
			s.modify(s.lns, s.modifyPeersSession("sequencing_required=yes"))
			s.wantPlane(s.lns, "send-sequence require-sequence")
		}},
	},
	"use_sequence_numbers": {
		{value: "yes", at: lnsAddr, show: func(s *scene) { s.wantNumbered() }},
		{name: "modified", show: func(s *scene) {
			s.modify(s.lns, s.modifyPeersSession("use_sequence_numbers=yes"))
			s.wantNumbered()
			s.modify(s.lns, s.modifyPeersSession("use_sequence_numbers=no"))
			s.wantNoPlane(s.lns, "send-sequence")
		}},
	},
	"reorder_timeout": {
		{value: "50", show: func(s *scene) { s.wantPlane(s.lac, "reorder 50ms") }},
		{name: "modified", show: func(s *scene) {
			s.modify(s.lac, "session modify tunnel_name=office session_name=s1 reorder_timeout=70")
			s.wantPlane(s.lac, "reorder 70ms")
		}},
		{name: "of the peer's session", show: func(s *scene) {
			s.modify(s.lns, s.modifyPeersSession("reorder_timeout=70"))
			s.wantPlane(s.lns, "reorder 70ms")
		}},
		{name: "in userspace", seenBy: "internal/dataplane/reorder_test.go:TestReorderTimeout"},
	},
	"priv_group_id": {{value: "gold", show: func(s *scene) {
		same(s, "Private Group ID", firstSent[*l2tp.ICCN](s, lacAddr).PrivateGroupID, "gold")
		same(s, "priv_group_id", s.lns.sessions()[0].Status.PrivGroupId, "gold")
	}}},
	"interface_name": {{value: "wan%s", show: func(s *scene) { s.wantPlane(s.lac, "link wan") }}},
	"framing_type": {
		{value: "async", show: func(s *scene) {
			same(s, "Framing Type", firstSent[*l2tp.ICCN](s, lacAddr).FramingType, l2tp.FramingAsync)
			same(s, "framing_type", s.lns.sessions()[0].Status.FramingType, api.Framing_FRAMING_ASYNC)
		}},
		{name: "asked for", value: "async", session: " session_type=lnoc", show: func(s *scene) {
			same(s, "Framing Type", firstSent[*l2tp.OCRQ](s, lacAddr).FramingType, l2tp.FramingAsync)
		}},
		{name: "outgoing", value: "async", at: lnsAddr, session: " session_type=lnoc",
			show: func(s *scene) {
				same(s, "Framing Type", firstSent[*l2tp.OCCN](s, lnsAddr).FramingType, l2tp.FramingAsync)
				same(s, "framing_type", s.lac.sessions()[0].Status.FramingType, api.Framing_FRAMING_ASYNC)
			}},
	},
	"bearer_type": {
		{value: "analog", show: func(s *scene) {
			same(s, "Bearer Type", firstSent[*l2tp.ICRQ](s, lacAddr).BearerType, l2tp.BearerAnalog)
			same(s, "bearer_type", s.lns.sessions()[0].Status.BearerType, api.Bearer_BEARER_ANALOG)
		}},
		{name: "outgoing", value: "analog", session: " session_type=lnoc", show: func(s *scene) {
			same(s, "Bearer Type", firstSent[*l2tp.OCRQ](s, lacAddr).BearerType, l2tp.BearerAnalog)
			same(s, "bearer_type", s.lns.sessions()[0].Status.BearerType, api.Bearer_BEARER_ANALOG)
		}},
	},
	"minimum_bps": {{value: "64000", session: " session_type=lnoc maximum_bps=128000", show: wantBPS}},
	"maximum_bps": {{value: "128000", session: " session_type=lnoc minimum_bps=64000", show: wantBPS}},
	"connect_speed": {
		{value: "2000:1000", show: func(s *scene) {
			m := firstSent[*l2tp.ICCN](s, lacAddr)
			same(s, "Tx Connect Speed", m.TxConnectSpeed, 1000)
			same(s, "Rx Connect Speed", m.RxConnectSpeed, 2000)
			s.wantSpeeds(s.lns)
		}},
		{name: "outgoing", value: "2000:1000", at: lnsAddr, session: " session_type=lnoc",
			show: func(s *scene) {
				same(s, "Tx Connect Speed", firstSent[*l2tp.OCCN](s, lnsAddr).TxConnectSpeed, 1000)
				s.wantSpeeds(s.lac)
			}},
	},
	"use_ppp_proxy": {
		{value: "yes", at: lnsAddr, lns: proxyUser, session: proxySession, show: wantTakenOver},
		{name: "no", value: "no", at: lnsAddr, session: proxySession, show: wantAnew,
			lns: proxyUser + "tunnel profile modify profile_name=default allow_ppp_proxy=yes\n"},
		{name: "wrong password", value: "yes", at: lnsAddr, session: proxySession,
			lns: strings.Replace(proxyUser, "friday", "monday", 1), show: func(s *scene) {
				s.lns.wantSessions(api.SessionState_SESSION_STATE_UP, 0)
				s.lns.wantLog("authentication failed")
			}},
		{name: "method not allowed", value: "yes", at: lnsAddr, session: proxySession, show: wantAnew,
			lns: proxyUser + "ppp profile modify profile_name=default auth_pap=no\n"},
		{name: "MRU too small", value: "yes", at: lnsAddr, lns: proxyUser, show: wantAnew,
			session: strings.Replace(proxySession, "010405dc", "01040010", 1)},
		{name: "LCP missing", value: "yes", at: lnsAddr, lns: proxyUser, show: wantAnew,
			session: strings.Replace(proxySession, "last_sent_lcp_confreq=0304c023050611223344", "", 1)},
	},
	"no_ppp": {{value: "yes", show: func(s *scene) {
		s.wantPlane(s.lac, "raw")
		s.wantNoPlane(s.lac, "link")
		pass(5 * time.Minute) // the LNS asks in vain, and gives up
		if all := s.frames(lacAddr, time.Time{}, ""); len(all) > 0 {
			s.Errorf("the LAC sent %v, want nothing", all)
		}
		s.lns.wantLog("session ended")
	}}},
	"trace_flags": {{seenBy: "internal/engine/trace_test.go:TestTraceFlagsHoldAtOnce"}},
	"proxy_auth_type": {{value: "none",
		show: wantProxy(l2tp.Proxy{AuthType: l2tp.ProxyAuthNone})}},
	"proxy_auth_name":      {{session: proxyCHAP, show: wantProxyCHAP}},
	"proxy_auth_challenge": {{session: proxyCHAP, show: wantProxyCHAP}},
	"proxy_auth_id":        {{session: proxyCHAP, show: wantProxyCHAP}},
	"proxy_auth_response":  {{session: proxyCHAP, show: wantProxyCHAP}},
	"initial_rcvd_lcp_confreq": {{value: "010405dc",
		show: wantProxy(l2tp.Proxy{InitialReceivedConfReq: []byte{1, 4, 5, 0xdc}})}},
	"last_sent_lcp_confreq": {{value: "010405dc",
		show: wantProxy(l2tp.Proxy{LastSentConfReq: []byte{1, 4, 5, 0xdc}})}},
	"last_rcvd_lcp_confreq": {{value: "010405dc",
		show: wantProxy(l2tp.Proxy{LastReceivedConfReq: []byte{1, 4, 5, 0xdc}})}},
}

const proxyCHAP = " no_ppp=yes proxy_auth_type=chap proxy_auth_name=carol proxy_auth_id=7" +
	" proxy_auth_challenge=0102 proxy_auth_response=0304"

func wantProxyCHAP(s *scene) {
	wantProxy(l2tp.Proxy{AuthType: l2tp.ProxyAuthCHAP, AuthName: "carol", AuthID: 7,
		AuthChallenge: []byte{1, 2}, AuthResponse: "\x03\x04"})(s)
}
