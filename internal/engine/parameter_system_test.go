package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"culvert/api"
	"culvert/internal/management"
	"culvert/l2tp"
)

const deny = "system modify deny_remote_tunnel_creates=yes\n"

// systemRows show what the parameters of the system do.
var systemRows = map[string][]row{
	"max_tunnels": {
		{value: "1", at: lnsAddr, show: func(s *scene) {
			s.modify(s.lac, "tunnel create tunnel_name=more dest_ipaddr=192.0.2.1")
			r := firstSent[*l2tp.StopCCN](s, lnsAddr).Result
			same(s, "error", r.Error, l2tp.ErrorResources)
			s.wantUp(1)
		}},
		{name: "ours", value: "1", show: func(s *scene) {
			_, err := s.lac.CreateTunnel(context.Background(), &api.Tunnel{DestIpaddr: new("192.0.2.1")})
			if !errors.Is(err, management.ErrRefused) {
				s.Errorf("CreateTunnel: %v, want that it is refused", err)
			}
		}},
	},
	"max_sessions": {{value: "1", at: lnsAddr, show: func(s *scene) {
		s.another()
		same(s, "result", firstSent[*l2tp.CDN](s, lnsAddr).Result.Code, l2tp.CDNNoFacilitiesForNow)
		s.wantUp(1)
	}}},
	"max_half_open_tunnels": {{
		seenBy: "internal/engine/overload_test.go:TestHalfOpenTunnelsGiveWay",
	}},
	"tunnel_requests_per_second": {{
		seenBy: "internal/engine/overload_test.go:TestPaceOfAll",
	}},
	"tunnel_requests_per_source": {{
		seenBy: "internal/engine/overload_test.go:TestPaceOfSources",
	}},
	"drain_tunnels": {{show: func(s *scene) {
		s.modify(s.lns, "system modify drain_tunnels=yes")
		s.another()
		same(s, "result", firstSent[*l2tp.CDN](s, lnsAddr).Result.Code, l2tp.CDNAdministrative)
		s.modify(s.lac, "tunnel create tunnel_name=more dest_ipaddr=192.0.2.1")
		same(s, "error", firstSent[*l2tp.StopCCN](s, lnsAddr).Result.Error, l2tp.ErrorTryAnother)
		s.wantUp(1)
	}}},
	"tunnel_establish_timeout": {{value: "9", tunnel: " peer_udp_port=5000 max_retries=50",
		after: 8 * time.Second, show: func(s *scene) {
			same(s, "tunnels", s.lac.count.tunnels.Load(), 1)
			pass(2 * time.Second)
			same(s, "tunnels", s.lac.count.tunnels.Load(), 0)
		}}},
	"session_establish_timeout": {
		{value: "9", at: lnsAddr, session: " no_ppp=yes", after: 8 * time.Second, show: func(s *scene) {
			same(s, "sessions", s.lns.count.sessions.Load(), 1)
			pass(2 * time.Second)
			same(s, "sessions", s.lns.count.sessions.Load(), 0)
			same(s, "result", firstSent[*l2tp.CDN](s, lnsAddr).Result.Code, l2tp.CDNNotEstablishedInTime)
		}}},
	"deny_local_tunnel_creates": {{
		seenBy: "internal/engine/profile_test.go:TestDenyLocalTunnelCreates",
	}},
	"deny_remote_tunnel_creates": {{value: "yes", at: lnsAddr, show: func(s *scene) {
		same(s, "error", firstSent[*l2tp.StopCCN](s, lnsAddr).Result.Error, l2tp.ErrorTryAnother)
		s.wantUp(0)
	}}},
	"log_level": {{seenBy: "internal/logging/logging_test.go:TestLevels"}},
	"host_name": {{value: "branch", show: func(s *scene) {
		same(s, "Host Name", firstSent[*l2tp.SCCRQ](s, lacAddr).HostName, "branch")
	}}},
	"trace_flags": {{seenBy: "internal/engine/trace_test.go:TestTraceFlags"}},
	"tunnel_persist_pend_timeout": {{value: "4", tunnel: " persist=yes", lns: deny,
		show: func(s *scene) {
			pass(time.Minute)
			same(s, "attempts in a minute", s.lac.office().Status.Attempts, 17) // 0 1 3 7 11 ...
		}}},
	"session_persist_pend_timeout": {
		{value: "4", tunnel: " persist=yes", lns: "user modify user_name=alice user_password=x\n",
			show: func(s *scene) {
				pass(time.Minute)
				n := s.lac.sessions()[0].Status.Attempts
				if n < 14 || n > 17 {
					s.Errorf("%d attempts in a minute, want one every 4 s", n)
				}
			}},
		{name: "never", value: "0", tunnel: " persist=yes", show: func(s *scene) {
			s.modify(s.lns, s.deletePeersSession())
			pass(time.Hour)
			s.wantUp(0)
			same(s, "attempts", s.lac.sessions()[0].Status.Attempts, 1)
			s.endPeers() // with the tunnel it comes back
			pass(10 * time.Second)
			s.wantUp(1)
		}},
	},
	"reset_statistics": {{show: func(s *scene) {
		if err := s.lac.ResetStatistics(context.Background()); err != nil {
			s.Fatal(err)
		}
		if st := s.lac.statistics(); st.SessionsCreated != 0 || st.Messages[0].Tx != 0 {
			s.Errorf("after the reset: %v", st)
		}
		s.another()
		same(s, "sessions created", s.lac.statistics().SessionsCreated, 1)
	}}},
	"api_group":         {{seenBy: "internal/management/access_test.go:TestUsersOfTheSocket"}},
	"api_readers_group": {{seenBy: "internal/management/access_test.go:TestUsersOfTheSocket"}},
	"api_admins":        {{seenBy: "internal/management/tls_test.go:TestRolesOfCertificates"}},
	"api_readers":       {{seenBy: "internal/management/tls_test.go:TestRolesOfCertificates"}},
	"api_listen":        {{seenBy: "internal/management/tls_test.go:TestRolesOfCertificates"}},
	"api_certificate":   {{seenBy: "internal/management/tls_test.go:TestRolesOfCertificates"}},
	"api_key":           {{seenBy: "internal/management/tls_test.go:TestRolesOfCertificates"}},
	"api_client_ca":     {{seenBy: "internal/management/tls_test.go:TestRolesOfCertificates"}},
	"metrics_listen":    {{seenBy: "internal/management/tls_test.go:TestMetricsAlone"}},
}

// deletePeersSession is the command that deletes the LNS's session.
func (s *scene) deletePeersSession() string {
	s.Helper()
	key := s.lns.key()
	return fmt.Sprintf("session delete tunnel_id=%d session_id=%d", key.Tunnel, key.Session)
}
