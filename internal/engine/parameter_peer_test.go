package engine

import (
	"time"

	"culvert/l2tp"
)

// known is a tunnel profile at the LNS that shows itself by its Host Name.
const known = "tunnel profile create profile_name=known host_name=known secret=tea\n"

// peerRows show what the parameters of a peer profile do, mostly those of the LNS.
var peerRows = map[string][]row{
	"profile_name": {{value: "host-192.0.2.2", at: lnsAddr, lns: known,
		in: "peer profile create tunnel_profile_name=known", show: wantKnown}},
	"peer_ipaddr": {
		{value: "192.0.2.2", at: lnsAddr, lns: known,
			in: "peer profile create profile_name=p tunnel_profile_name=known", show: wantKnown},
		{name: "of another host", value: "192.0.2.3", at: lnsAddr, lns: known,
			in: "peer profile create profile_name=p tunnel_profile_name=known", show: wantUnknown},
	},
	"netmask": {
		{value: "255.255.255.0", at: lnsAddr, lns: known, show: wantKnown,
			in: "peer profile create profile_name=p tunnel_profile_name=known peer_ipaddr=192.0.2.9"},
		{name: "too narrow", value: "32", at: lnsAddr, lns: known, show: wantUnknown,
			in: "peer profile create profile_name=p tunnel_profile_name=known peer_ipaddr=192.0.2.9"},
	},
	"tunnel_profile_name": {{value: "known", at: lnsAddr, lns: known, show: wantKnown}},
	"session_profile_name": {{value: "pop", at: lnsAddr,
		lns:  "session profile create profile_name=pop interface_name=pop%s\n",
		show: func(s *scene) { s.wantPlane(s.lns, "link pop") }}},
	"ppp_profile_name": {{value: "small", at: lnsAddr,
		lns: "ppp profile create profile_name=small mtu=1111 local_ipaddr=10.9.0.1 " +
			"ip_pool_name=home\n",
		show: func(s *scene) { s.wantPlane(s.lns, "mtu 1111") }}},
	"peer_port": {
		{value: "1701", at: lnsAddr, lns: known, show: wantKnown,
			in: "peer profile create profile_name=p tunnel_profile_name=known peer_ipaddr=192.0.2.2"},
		{name: "another one", value: "5000", at: lnsAddr, lns: known, show: wantUnknown,
			in: "peer profile create profile_name=p tunnel_profile_name=known peer_ipaddr=192.0.2.2"},
		{name: "nobody may come from there", value: "5000", at: lnsAddr, show: func(s *scene) {
			same(s, "result", firstSent[*l2tp.StopCCN](s, lnsAddr).Result.Code, l2tp.StopNotAuthorized)
		}},
		{name: "to which we open", value: "5000", show: func(s *scene) {
			same(s, "port", s.seen.from(lacAddr)[0].dst.Port(), 5000)
		}},
	},
	"lac_lns": {
		{value: "lac", at: lnsAddr, show: func(s *scene) {
			same(s, "result", firstSent[*l2tp.CDN](s, lnsAddr).Result.Code, l2tp.CDNNoFacilities)
			s.wantUp(0)
		}},
		{name: "lns", value: "lns", at: lnsAddr, session: " session_type=lnoc", show: func(s *scene) {
			same(s, "result", firstSent[*l2tp.CDN](s, lnsAddr).Result.Code, l2tp.CDNNoFacilities)
			s.wantUp(0)
		}},
		{name: "ours", value: "lns", after: 2 * time.Second, show: func(s *scene) {
			firstSent[*l2tp.OCRQ](s, lacAddr) // the usual call is that of an LNS then
		}},
	},
}

func wantKnown(s *scene) {
	s.Helper()
	same(s, "Host Name", firstSent[*l2tp.SCCRP](s, lnsAddr).HostName, "known")
}

func wantUnknown(s *scene) {
	s.Helper()
	same(s, "Host Name", firstSent[*l2tp.SCCRP](s, lnsAddr).HostName, "host-192.0.2.1")
}
