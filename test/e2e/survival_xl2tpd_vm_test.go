package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"testing"
	"time"

	"culvert/test/daemon"
	"culvert/test/lab"
	"culvert/test/peers"
)

// xl2tpd with pppd has sessions at an LNS that is killed again and again, at some of these moments
// while it calls once more: it does not notice, and can call afterwards.
func TestXL2TPDSurvival(t *testing.T) {
	lab.RequireKernel(t)
	const staying, kills, carrying = 20, 10, 4
	const calls = staying + kills // one with each kill
	step := newClock(t)
	lnsNS, lacNS := newHosts(t)
	more := moreAddresses(lnsNS, calls-1)
	lns := newMortal(t, lnsNS, lnsConfig(survivalConfig, authConfig(peers.CHAP)))
	lac := peers.StartXL2TPD(t, lacNS, peers.XL2TPDConfig{LNS: lnsAddr, More: more, Auth: peers.CHAP, User: alice})
	for i := range staying {
		lac.DialCall(i)
	}
	before := daemon.Indexed(lns.WaitUp(staying, upLimit))
	links := linksOf(t, lac, staying)
	step(fmt.Sprintf("%d sessions up", staying))

	f := &flows{t: t}
	for _, l := range links[:carrying] {
		near, far := end{lacNS, l.Local}, end{lnsNS, l.Peer}
		ping(t, far, near) // the first packets after IPCP may be lost
		f.add(near, l.Interface, far)
	}
	negotiated := negotiations(lac, staying)
	random := rand.New(rand.NewPCG(3, 4))
	for i := range kills {
		lac.DialCall(staying + i)
		time.Sleep(time.Duration(random.Int64N(int64(400 * time.Millisecond)))) // any moment will do
		lns.Kill()
		lns.Restart()
		lns.wantAll(before)
	}
	step(fmt.Sprintf("%d kills", kills))
	// xl2tpd's Hello comes after a minute of silence, ours does at once.
	time.Sleep(controlLife)
	lns.wantAll(before)
	f.stop()
	for i, now := range negotiations(lac, staying) {
		if now != negotiated[i] {
			t.Errorf("pppd of call %d has negotiated %d times, want %d:\n%s", i, now, negotiated[i], lac.PPPLog(i))
		}
	}
	redial(t, lns, lac, calls)
	lac.Stop()
	lac.WaitDown()
	lns.checkGone()
	step("ended")
}

// moreAddresses gives a host so many addresses, and returns them.
func moreAddresses(ns *lab.NetNS, n int) (more []netip.Addr) {
	addr := netip.MustParseAddr("192.0.2.100")
	for range n {
		addr = addr.Next()
		ns.Run("ip", "addr", "add", addr.String()+"/24", "dev", "eth0")
		more = append(more, addr)
	}
	return more
}

// linksOf waits for the links of the first calls.
func linksOf(t *testing.T, lac *peers.XL2TPD, calls int) []peers.Link {
	t.Helper()
	links := make([]peers.Link, calls)
	lab.Wait(t, upLimit, "the links of pppd", func() (err error) {
		for i := range links {
			if links[i], err = lac.LinkOf(i); err != nil {
				return err
			}
		}
		return nil
	})
	return links
}

// negotiation is what pppd logs of LCP, of CHAP and of IPCP, and of nothing else.
var negotiation = regexp.MustCompile(`\[(LCP|IPCP) (Conf|Term)|\[CHAP `)

// negotiations are how often pppd has said so in each of the first calls.
func negotiations(lac *peers.XL2TPD, calls int) []int {
	counts := make([]int, calls)
	for i := range counts {
		counts[i] = len(negotiation.FindAllString(lac.PPPLog(i), -1))
	}
	return counts
}

// redial places those calls again whose set-up a kill has ended, and waits until all are up.
func redial(t *testing.T, lns *site, lac *peers.XL2TPD, calls int) {
	t.Helper()
	up := make(map[netip.Addr]bool)
	for _, s := range lns.Up(true) {
		up[peerAddr(t, s)] = true
	}
	t.Logf("%d of %d calls are up before any is placed again", len(up), calls)
	for i := range calls {
		if l, err := lac.LinkOf(i); err != nil || !up[l.Local] {
			lac.DialCall(i)
		}
	}
	lns.WaitUp(calls, upLimit)
}
