package engine

import (
	"strings"
	"testing"
	"time"

	"culvert/internal/dataplane"
)

var pppAuthRows = map[string][]row{
	"auth_pap":      methodRows("pap", "PAP"),
	"auth_chap":     methodRows("chap", "CHAP-MD5"),
	"auth_mschapv1": methodRows("mschapv1", "MS-CHAPv1"),
	"auth_mschapv2": methodRows("mschapv2", "MS-CHAPv2"),
	"auth_eap":      methodRows("eap", "EAP"),
	"auth_none": {{at: lnsAddr, value: "yes", show: func(s *scene) {
		s.wantFrame(lnsAddr, lcpRequest, "", "<auth")
		s.wantUp(1)
	}}},
	"auth_peer": {{name: "ours", value: "yes", show: func(s *scene) {
		s.wantFrame(lacAddr, lcpRequest, "<auth MS-CHAPv2>")
		s.wantUp(0) // the LNS has no name to give
	}}, {
		name: "no", at: lnsAddr, value: "no",
		show: func(s *scene) { s.wantFrame(lnsAddr, lcpRequest, "", "<auth") },
	}, {
		name: "before auth_none", at: lnsAddr, value: "yes", lns: pppDefault("auth_none=yes"),
		show: func(s *scene) { s.wantFrame(lnsAddr, lcpRequest, "<auth MS-CHAPv2>") },
	}},
	"local_name": {{at: lnsAddr, value: "gateway", show: func(s *scene) {
		s.wantFrame(lnsAddr, "CHAP Challenge", `name="gateway"`)
	}}},
	"remote_name": {{name: "another", at: lnsAddr, value: "bob",
		lns: "user create user_name=bob user_password=builder\n", show: func(s *scene) {
			s.wantUp(0)
			s.lns.wantLog("authentication failed")
			s.modify(s.lac, "session create tunnel_name=office session_name=b"+
				" user_name=bob user_password=builder\n")
			pass(time.Second)
			s.wantUp(1)
		}}, {
		name: "this one", at: lnsAddr, value: "alice", show: func(s *scene) { s.wantUp(1) },
	}},
	"use_radius": {{at: lnsAddr, value: "yes", lns: "user delete user_name=alice\n",
		show: func(s *scene) { s.wantUp(0) }}},
	"radius_hint": {{at: lnsAddr, value: "/etc/radius.conf", lns: pppDefault("use_radius=yes"),
		show: func(s *scene) {
			s.wantUp(1)
			s.modify(s.lac, "session create tunnel_name=office session_name=b"+
				" user_name=mallory user_password=wonderland\n")
			pass(10 * time.Second)
			s.wantUp(1)
		}}},
}

// methodRows show a method that alone is allowed, one that is not though all others
// are, and one that we do not answer to.
func methodRows(word, name string) []row {
	others := strings.Replace(only(word), "auth_"+word+"=yes", "", 1)
	prefix := "<auth " + name + ">"
	return []row{{
		name: "alone", at: lnsAddr, value: "yes", lns: others, show: func(s *scene) {
			s.wantUp(1)
			s.wantFrame(lnsAddr, lcpRequest, prefix)
			same(s, "the LNS authenticated by", s.lns.sessions()[0].Status.Ppp.AuthOfPeer, name)
		},
	}, {
		name: "all others", at: lnsAddr, value: "no", show: func(s *scene) {
			s.wantUp(1)
			s.wantFrame(lnsAddr, lcpRequest, "<auth", prefix)
		},
	}, {
		name: "not as the one who calls", value: "no", lns: only(word), show: func(s *scene) {
			s.wantFrame(lnsAddr, lcpRequest, prefix)
			s.wantUp(0)
		},
	}}
}

// TestRemoteNameWithDomain: Windows puts its domain before the name.
func TestRemoteNameWithDomain(t *testing.T) {
	lac := strings.ReplaceAll(lacConfig, "user_name=alice", `user_name=CORP\alice`)
	for only, want := range map[string]int{"alice": 1, `CORP\alice`: 1, "CORP": 0} {
		lns := lnsConfig + pppDefault("remote_name="+only)
		inBubble(t, lns, lac, func(_ *dataplane.Wire, lns, _ *host) {
			pass(time.Second)
			if n := lns.count.sessionsUp.Load(); n != int64(want) {
				t.Errorf("remote_name=%s: %d sessions are up, want %d", only, n, want)
			}
		})
	}
}
