package engine

import (
	"context"
	"strings"
	"time"

	"culvert/l2tp"
)

var pppLifeRows = map[string][]row{
	"idle_timeout": {{name: "idle", at: lnsAddr, value: "60", show: func(s *scene) {
		begin := time.Now().Add(-time.Second) // the session was up at once
		s.inject("\xff\x03\xc0\x21\x09\x01\x00\x08\x00\x00\x00\x00")
		pass(2 * time.Minute) // in which echoes and hellos go
		s.wantUp(0)
		s.wantTerminated(begin, 60*time.Second, "idle for 1m0s")
		s.wantDisconnected("idle for 1m0s")
		s.lns.wantLog(`cause="idle for 1m0s"`)
	}}, {name: "busy", at: lnsAddr, value: "60", show: func(s *scene) {
		begin := time.Now()
		for range 5 {
			pass(50 * time.Second)
			s.wantUp(1)
			s.packet(s.lac)
			pass(50 * time.Second)
			s.wantUp(1)
			s.packet(s.lns)
		}
		pass(2 * time.Minute)
		s.wantTerminated(begin, 560*time.Second, "idle for 1m0s")
	}}},
	"max_connect_time": {{at: lnsAddr, value: "300", show: func(s *scene) {
		begin := time.Now().Add(-time.Second)
		for range 5 {
			pass(55 * time.Second)
			s.packet(s.lac)
			s.wantUp(1)
		}
		pass(time.Minute)
		s.wantUp(0)
		s.wantTerminated(begin, 300*time.Second, "max_connect_time of 5m0s is over")
		s.wantDisconnected("max_connect_time of 5m0s is over")
	}}},
	"max_failure_count": {{name: "in a row", value: "3", tunnel: " persist=yes",
		lns: "user modify user_name=alice user_password=changed\n", after: time.Hour,
		show: func(s *scene) {
			same(s, "attempts", len(sent[*l2tp.ICRQ](s, lacAddr)), 3)
			s.lac.wantLog(`msg="session given up"`)
			if len(s.lac.sessions()) != 0 {
				s.Errorf("the LAC still has %v", s.lac.sessions())
			}
		}}, {
		name: "success between", value: "2", tunnel: " persist=yes", show: func(s *scene) {
			for range 5 {
				if _, err := s.lns.DeleteSession(context.Background(), s.lns.sessions()[0], ""); err != nil {
					s.Fatal(err)
				}
				pass(30 * time.Second)
				s.wantUp(1)
			}
		},
	}, {
		name: "unlimited", value: "0", tunnel: " persist=yes", after: time.Hour,
		lns: "user modify user_name=alice user_password=changed\n", show: func(s *scene) {
			if n := len(sent[*l2tp.ICRQ](s, lacAddr)); n < 10 {
				s.Errorf("%d attempts in an hour, want 10 and more", n)
			}
		},
	}},
}

// packet has a host send a network packet by its session.
func (s *scene) packet(h *host) {
	s.Helper()
	if err := h.fake.SendPacket(h.key(), append([]byte{0x45}, make([]byte, 39)...)); err != nil {
		s.Fatal(err)
	}
}

// wantDisconnected wants the LNS to have said in its CDN that it closed PPP, and why
// (RFC 3145).
func (s *scene) wantDisconnected(why string) {
	s.Helper()
	cdn := firstSent[*l2tp.CDN](s, lnsAddr)
	same(s, "Result Code", cdn.Result.Code, l2tp.CDNAdministrative)
	if cdn.Disconnect == nil {
		s.Fatal("the CDN has no PPP Disconnect Cause Code")
	}
	same(s, "Disconnect Code", *cdn.Disconnect,
		l2tp.DisconnectCause{Code: 3, ControlProtocol: 0xc021, Direction: 2, Message: why})
}

var userRows = map[string][]row{
	"user_name": {{session: " ", lns: "user delete user_name=alice\n" +
		"user create user_name=bob user_password=wonderland\n", show: func(s *scene) { s.wantUp(0) }}},
	"user_password": {{lns: "user modify user_name=alice user_password=changed\n",
		show: func(s *scene) { s.wantUp(0) }}},
	"ipaddr": {{lns: "user modify user_name=alice ipaddr=10.77.0.7\n" +
		pppDefault("remote_ipaddr=10.9.0.9"), show: func(s *scene) {
		s.wantFrame(lnsAddr, "IPCP Configure-Nak", "<address 10.77.0.7>")
		s.wantPlane(s.lns, "ipv4 10.9.0.1 > 10.77.0.7")
	}}, {
		name: "of the pool", lns: "user modify user_name=alice ipaddr=10.9.0.5\n",
		show: func(s *scene) {
			s.wantPlane(s.lns, "ipv4 10.9.0.1 > 10.9.0.5")
			s.wantPool("home", 1)
		},
	}},
	"ip_pool_name": {{lns: "pool create pool_name=gold addresses=10.66.0.0/24\n" +
		"user modify user_name=alice ip_pool_name=gold\n", show: func(s *scene) {
		s.wantPlane(s.lns, "ipv4 10.9.0.1 > 10.66.0.1")
		s.wantPool("gold", 1)
		s.wantPool("home", 0)
	}}},
}

// poolHome returns the commands that have addresses given from another pool.
func poolHome(parameters string) string {
	return "pool create pool_name=row " + parameters + "\n" + pppDefault("ip_pool_name=row")
}

var poolRows = map[string][]row{
	"pool_name": {{lns: poolHome("addresses=10.44.0.0/24"), show: func(s *scene) {
		s.wantPool("row", 1)
		s.wantPool("home", 0)
	}}},
	"addresses": {{name: "first fit", lns: poolHome("addresses=10.44.0.0/30,10.45.0.8-10.45.0.9"),
		show: func(s *scene) {
			s.wantPlane(s.lns, "> 10.44.0.1\n")
			for range 3 {
				s.another()
			}
			s.wantPlane(s.lns, "> 10.44.0.2\n")
			s.wantPlane(s.lns, "> 10.45.0.8\n")
			s.wantPlane(s.lns, "> 10.45.0.9\n")
			s.another()
			s.wantUp(4)
			s.lns.wantLog("no free address")
		}}, {
		name: "the same for who comes back", lns: poolHome("addresses=10.44.0.0/24"),
		show: func(s *scene) {
			s.modify(s.lac, "session create tunnel_name=office session_name=b"+
				" user_name=alice user_password=wonderland\n")
			pass(time.Second)
			s.modify(s.lac, "session delete tunnel_name=office session_name=b\n")
			pass(10 * time.Second)
			s.another()
			s.wantPlane(s.lns, "> 10.44.0.2\n")
		},
	}},
	"reserved": {{lns: poolHome("addresses=10.44.0.0/24 reserved=10.44.0.0/29"),
		show: func(s *scene) { s.wantPlane(s.lns, "> 10.44.0.8\n") }}, {
		name: "but to whom it belongs", lns: "user modify user_name=alice ipaddr=10.44.0.3\n" +
			poolHome("addresses=10.44.0.0/24 reserved=10.44.0.0/29"),
		show: func(s *scene) { s.wantPlane(s.lns, "> 10.44.0.3\n") },
	}},
	"drain": {{lns: poolHome("addresses=10.44.0.0/24 drain=yes"), show: func(s *scene) {
		s.wantUp(0)
		s.lns.wantLog("the pool is drained")
	}}},
	"trace": {{lns: poolHome("addresses=10.44.0.0/24 trace=yes"), show: func(s *scene) {
		s.lns.wantLog(`msg="address given out" host=192.0.2.1 pool=row address=10.44.0.1 user=alice`)
		s.modify(s.lac, "session delete tunnel_name=office session_name=s1\n")
		pass(10 * time.Second)
		s.lns.wantLog(`msg="address given back"`)
	}}, {
		name: "off", lns: poolHome("addresses=10.44.0.0/24"), show: func(s *scene) {
			if strings.Contains(s.lns.logs.String(), "given out") {
				s.Error("addresses are logged without trace")
			}
		},
	}},
	"max_addrs": {{lns: poolHome("addresses=10.44.0.0/24 max_addrs=2"), show: func(s *scene) {
		s.another()
		s.another()
		s.wantUp(2)
		s.wantPool("row", 2)
		s.lns.wantLog("max_addrs are in use")
	}}},
}

// wantPool wants so many addresses of a pool of the LNS to be in use.
func (s *scene) wantPool(name string, allocated uint64) {
	s.Helper()
	status, err := s.lns.PoolStatus(context.Background(), name)
	if err != nil {
		s.Fatal(err)
	}
	same(s, "addresses in use of "+name, status.GetAllocated(), allocated)
}
