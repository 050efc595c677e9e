package e2e

import (
	"testing"
	"time"

	"culvert/test/lab"
)

// All of 50 sessions come up over a link that loses, reorders and duplicates.
func TestBadLink(t *testing.T) {
	const sessions = 50
	lab.RequireKernel(t)
	lnsNS, lacNS := newHosts(t)
	lnsClean, lacClean := lnsNS.State(), lacNS.State()
	checkCapture := captureControl(t, lnsNS)
	for _, ns := range []*lab.NetNS{lnsNS, lacNS} {
		ns.Netem("eth0", "delay", "10ms", "loss", "20%", "reorder", "25%", "50%", "duplicate", "10%")
	}
	// One in three exchanges fails. Of a few hundred messages one would fail six
	// times in a row, which is the default's end.
	patient := "tunnel profile modify profile_name=default max_retries=20"
	lns := newSite(t, lnsNS, "kernel", lnsConfig(patient))
	lac := newSite(t, lacNS, "kernel", patient+"\n"+tunnelsConfig(lnsAddr, 5, sessions/5))
	lac.WaitUp(sessions, 4*time.Minute)
	up := lns.WaitUp(sessions, time.Minute)
	for _, tunnel := range lac.Tunnels() {
		if n := tunnel.GetStatus().GetControl().GetRetransmits(); n == 0 {
			t.Errorf("tunnel %s: no retransmission: is the link bad?", tunnel.GetTunnelName())
		}
	}
	for _, ns := range []*lab.NetNS{lnsNS, lacNS} {
		ns.Run("tc", "qdisc", "del", "dev", "eth0", "root")
	}
	// An end whose acknowledgement was lost is asked again, and takes its network down until
	// that is done (RFC 1661, 4.1): a moment ago all were up, and soon all are.
	for _, session := range up {
		addr := peerAddr(t, session)
		lab.Wait(t, upLimit, "an answer of "+addr.String(), func() error {
			return lnsNS.TryPing(t.Context(), addr, 1)
		})
	}
	lac.stop(lacClean)
	lns.checkGone()
	lns.stop(lnsClean)
	checkCapture()
}

// When the peer falls silent, both ends find out and clean up.
func TestSilentPeer(t *testing.T) {
	p := kernelPlane(t)
	watchful := "tunnel profile modify profile_name=default hello_timeout=2 max_retries=2"
	c := p.newPair(t, lnsConfig(watchful), watchful+"\n"+tunnelsConfig(lnsAddr, 2, 2))
	c.lac.WaitUp(4, upLimit)
	c.lns.WaitUp(4, upLimit)
	c.lns.NS.Netem("eth0", "loss", "100%")
	c.lac.NS.Netem("eth0", "loss", "100%")
	c.lns.checkGone()
	c.lac.checkGone()
	c.end()
}
