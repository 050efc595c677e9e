package engine

import (
	"strings"
	"time"
)

var pppNetworkRows = map[string][]row{
	"ipv4": {{value: "no", show: func(s *scene) {
		s.wantUp(1)
		same(s, "requests", len(s.frames(lacAddr, time.Time{}, ipcpRequest)), 0)
		s.wantFrame(lacAddr, "LCP Protocol-Reject", "IPCP")
		s.wantPlane(s.lac, "ipv6 ")
		s.wantNotInPlane(s.lac, "ipv4 ")
	}}},
	"ipv6": {{value: "no", show: func(s *scene) {
		s.wantUp(1)
		same(s, "requests", len(s.frames(lacAddr, time.Time{}, "IPV6CP Configure-Request")), 0)
		s.wantFrame(lacAddr, "LCP Protocol-Reject", "IPV6CP")
		s.wantPlane(s.lac, "ipv4 ")
		s.wantNotInPlane(s.lac, "ipv6 ")
	}}},
	"local_ipaddr": {{value: "10.9.0.77", lns: pppDefault("remote_ipaddr=10.9.0.77"),
		show: func(s *scene) {
			s.wantFrame(lacAddr, ipcpRequest, "<address 10.9.0.77>")
			s.wantPlane(s.lac, "ipv4 10.9.0.77 > 10.9.0.1")
		}}, {
		name: "of the server", at: lnsAddr, value: "10.9.0.99", show: func(s *scene) {
			s.wantFrame(lnsAddr, ipcpRequest, "<address 10.9.0.99>")
			s.wantPlane(s.lac, "> 10.9.0.99")
		},
	}},
	"remote_ipaddr": {{at: lnsAddr, value: "10.9.0.200", show: func(s *scene) {
		s.wantFrame(lnsAddr, "IPCP Configure-Nak", "<address 10.9.0.200>")
		s.wantPlane(s.lac, "ipv4 10.9.0.200 > 10.9.0.1")
	}}},
	"ip_pool_name": {{at: lnsAddr, value: "other",
		lns: "pool create pool_name=other addresses=10.44.0.0/24\n", show: func(s *scene) {
			s.wantFrame(lnsAddr, "IPCP Configure-Nak", "<address 10.44.0.1>")
			s.wantPlane(s.lns, "ipv4 10.9.0.1 > 10.44.0.1")
		}}},
	"dns_ipaddr_pri":  {serverRow("10.9.0.53", "<dns1 10.9.0.53>", 129)},
	"dns_ipaddr_sec":  {serverRow("10.9.0.54", "<dns2 10.9.0.54>", 131)},
	"wins_ipaddr_pri": {serverRow("10.9.0.55", "<wins1 10.9.0.55>", 130)},
	"wins_ipaddr_sec": {serverRow("10.9.0.56", "<wins2 10.9.0.56>", 132)},
	"accept_dns": {{value: "yes", lns: pppDefault("dns_ipaddr_pri=10.9.0.53"),
		show: func(s *scene) {
			s.wantFrame(lacAddr, ipcpRequest, "<dns1 0.0.0.0>")
			same(s, "name servers", strings.Join(s.lac.sessions()[0].Status.Ppp.Dns, " "),
				"10.9.0.53")
		}}},
	"default_route": {{value: "yes", show: func(s *scene) { s.wantPlane(s.lac, "route default") }}},
	"proxy_arp": {{at: lnsAddr, value: "yes", show: func(s *scene) {
		s.wantPlane(s.lns, "proxy-arp 10.9.0.2")
		s.wantNotInPlane(s.lac, "proxy-arp")
	}}, {seenBy: "internal/dataplane/dataplanetest/proxy.go:ProxyARP"}},
}

// serverRow has the LNS asked for a server of RFC 1877 by the number of its option.
func serverRow(value, want string, option byte) row {
	return row{at: lnsAddr, value: value, show: func(s *scene) {
		s.inject("\xff\x03\x80\x21\x01\x63\x00\x0a" + string([]byte{option}) + "\x06\x00\x00\x00\x00")
		for _, f := range s.frames(lnsAddr, time.Time{}, "IPCP Configure-Nak id=99") {
			if strings.Contains(f.text, want) {
				return
			}
		}
		s.Errorf("the LNS did not say %s: %v", want, s.frames(lnsAddr, time.Time{}, "IPCP"))
	}}
}

// wantNotInPlane checks that a host's data plane does not hold something, in words.
func (s *scene) wantNotInPlane(h *host, text string) {
	s.Helper()
	if got := h.fake.String(); strings.Contains(got, text) {
		s.Errorf("the data plane holds %q:\n%s", text, got)
	}
}
