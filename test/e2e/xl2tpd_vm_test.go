package e2e

import (
	"net/netip"
	"testing"

	"culvert/api"
	"culvert/test/lab"
	"culvert/test/peers"
)

// culvertd is the LNS, xl2tpd with pppd calls.
func TestXL2TPDCalls(t *testing.T) {
	lab.RequireKernel(t)
	for _, auth := range []peers.Auth{peers.PAP, peers.CHAP, peers.MSCHAPv2} {
		for _, secret := range []string{"", plainSecret} {
			name := string(auth)
			if secret != "" {
				name += "-secret"
			}
			t.Run(name, func(t *testing.T) { testXL2TPDCalls(t, auth, secret) })
		}
	}
}

func testXL2TPDCalls(t *testing.T, auth peers.Auth, secret string) {
	step := newClock(t)
	lnsNS, lacNS := newHosts(t)
	clean := lnsNS.State()
	checkCapture := captureControl(t, lnsNS)
	lns := newSite(t, lnsNS, "kernel", lnsConfig(authConfig(auth), secretConfig(secret)))
	lac := peers.StartXL2TPD(t, lacNS, peers.XL2TPDConfig{
		LNS: lnsAddr, Secret: secret, Auth: auth, User: alice,
	})
	step("started")

	lac.Dial()
	link := lac.WaitUp(1)
	session := lns.WaitUp(1, upLimit)[0]
	step("up")
	checkXL2TPDSession(t, lns, session, link, auth, secret)
	near, far := end{lnsNS, localAddr(t, session)}, end{lacNS, link.Local}
	carry(t, near, far, transferSize)
	lns.checkCounters(session, transferSize)
	step("carried")
	lns.deleteTunnels()
	lac.WaitDown()
	lns.checkGone()
	step("ended by culvertd")

	lac.Dial()
	lac.WaitUp(2)
	session = lns.WaitUp(1, upLimit)[0]
	ping(t, end{lnsNS, localAddr(t, session)}, end{lacNS, peerAddr(t, session)})
	lac.HangUp()
	lac.WaitDown()
	lns.checkGone()
	step("ended by xl2tpd")

	lac.Stop()
	lns.stop(clean)
	step("stopped")
	checkCapture()
	step("capture checked")
}

func checkXL2TPDSession(t *testing.T, lns *site, s *api.Session, l peers.Link, auth peers.Auth, secret string) {
	t.Helper()
	st := s.GetStatus()
	if st.GetUser() != alice.Name || !st.GetCreatedByPeer() {
		t.Errorf("user %q, created by peer %v; want alice, true", st.GetUser(), st.GetCreatedByPeer())
	}
	if l.Local != peerAddr(t, s) || l.Peer != localAddr(t, s) {
		t.Errorf("pppd has %v and %v, culvertd %v", l.Local, l.Peer, st.GetPpp())
	}
	words := map[peers.Auth]string{peers.PAP: "PAP", peers.CHAP: "CHAP-MD5", peers.MSCHAPv2: "MS-CHAPv2"}
	if got := st.GetPpp().GetAuthOfPeer(); got != words[auth] {
		t.Errorf("authentication = %q, want %q", got, words[auth])
	}
	tunnel := lns.Tunnels()[0].GetStatus()
	if tunnel.GetPeerHostName() != "xl2tpd-lac" || tunnel.GetPeerAuthenticated() != (secret != "") {
		t.Errorf("tunnel %v, want xl2tpd-lac, authenticated if there is a secret", tunnel)
	}
}

// culvertd calls, xl2tpd with pppd is the LNS.
func TestXL2TPDAnswers(t *testing.T) {
	lab.RequireKernel(t)
	for _, test := range []struct {
		auth   peers.Auth
		secret string
	}{
		{peers.PAP, ""}, {peers.CHAP, plainSecret}, {peers.MSCHAPv2, plainSecret},
	} {
		t.Run(string(test.auth), func(t *testing.T) { testXL2TPDAnswers(t, test.auth, test.secret) })
	}
}

func testXL2TPDAnswers(t *testing.T, auth peers.Auth, secret string) {
	lnsNS, lacNS := newHosts(t)
	clean := lacNS.State()
	checkCapture := captureControl(t, lacNS)
	lns := peers.StartXL2TPD(t, lnsNS, peers.XL2TPDConfig{
		Secret: secret, Auth: auth, User: alice,
		Local: netip.MustParseAddr("10.9.0.1"), Pool: "10.9.0.10-10.9.0.20",
	})
	lac := newSite(t, lacNS, "kernel", join(secretConfig(secret)))

	lac.dial("tunnel create tunnel_name=office dest_ipaddr=192.0.2.1",
		"session create tunnel_name=office session_name=s1 user_name=alice "+
			"user_password=\"open sesame\"")
	session := lac.WaitUp(1, upLimit)[0]
	link := lns.WaitUp(1)
	if l, p := localAddr(t, session), peerAddr(t, session); l != link.Peer || p != link.Local {
		t.Errorf("culvertd has %v and %v, pppd %+v", l, p, link)
	}
	carry(t, end{lacNS, localAddr(t, session)}, end{lnsNS, link.Local}, transferSize)
	lac.checkCounters(session, transferSize)
	lac.deleteTunnels()
	lns.WaitDown()
	lac.checkGone()

	lac.dial("tunnel create tunnel_name=office dest_ipaddr=192.0.2.1",
		"session create tunnel_name=office session_name=s1 user_name=alice "+
			"user_password=\"open sesame\"")
	session = lac.WaitUp(1, upLimit)[0]
	lns.WaitUp(2)
	ping(t, end{lacNS, localAddr(t, session)}, end{lnsNS, peerAddr(t, session)})
	lns.HangUp()
	lns.WaitDown()
	lac.checkGone()

	lns.Stop()
	lac.stop(clean)
	checkCapture()
}

// dial gives culvertd commands as a user types them.
func (s *site) dial(commands ...string) {
	s.t.Helper()
	for _, c := range commands {
		s.Config(c)
	}
}
