package dataplanetest

import (
	"errors"
	"net/netip"
	"os"
	"sync"
	"testing"

	"culvert/internal/dataplane"
	"culvert/l2tp"
)

// wantEmpty wants that a side holds nothing.
func wantEmpty(t testing.TB, s *Side) {
	t.Helper()
	inv, err := s.Inventory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(inv.Tunnels)+len(inv.Sessions)+len(inv.Interfaces) > 0 {
		t.Errorf("there is still %+v", inv)
	}
}

// files returns how many descriptors this process has.
func files(t testing.TB) int {
	t.Helper()
	d, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(d)
}

// testCloseOrders closes tunnel and session in each order, each of them twice.
func testCloseOrders(t *testing.T, p *Pair) {
	listen(t, p.A, p.A.Host)
	listen(t, p.B, p.B.Host)
	atFirst := -1
	for round, order := range []string{"sstt", "ttss", "stst", "tsts"} {
		tp := connect(t, p, 0, p.A.Host, p.B.Host)
		c := tp.call(t, round+1)
		c.up(t, 1400)
		inv, err := p.A.Inventory(t.Context())
		if err != nil || len(inv.Tunnels) != 1 || len(inv.Sessions) != 1 || inv.Sessions[0] != c.keyA {
			t.Errorf("order %s: inventory %+v, %v; want tunnel 1 and session %s", order, inv, err, c.keyA)
		}
		for _, what := range order {
			err := error(nil)
			if what == 's' {
				err = errors.Join(c.a.Close(t.Context()), c.b.Close(t.Context()))
			} else {
				err = errors.Join(tp.a.Close(t.Context()), tp.b.Close(t.Context()))
			}
			if err != nil {
				t.Errorf("order %s: %v", order, err)
			}
		}
		wantEmpty(t, p.A)
		wantEmpty(t, p.B)
		// The first round may leave what is opened once and kept.
		if n := files(t); atFirst == -1 {
			atFirst = n
		} else if n > atFirst {
			t.Errorf("order %s: %d descriptors, %d after the first round", order, n, atFirst)
		}
	}
}

// testClosedListener closes a listener again when its descriptor's number is another
// one's already, which must not notice.
func testClosedListener(t *testing.T, p *Pair) {
	at := netip.AddrPortFrom(p.A.Host, 0)
	for spare := range 4 { // whichever poller the number was at, the new one gets there too
		first := listenAt(t, p.A, at)
		for range spare {
			listenAt(t, p.A, at)
		}
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		second := listenAt(t, p.A, at)
		if err := first.Close(); err != nil {
			t.Errorf("closing again: %v", err)
		}
		tun := open(t, p.B, l2tp.TunnelID(1+spare), netip.AddrPortFrom(p.B.Host, 0), second.Addr())
		sendControl(t, tun, "hello")
		p.A.Said.Datagram(t)
	}
}

func listenAt(t testing.TB, s *Side, at netip.AddrPort) dataplane.Listener {
	t.Helper()
	l, err := s.Listen(at)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// testAfterClose wants errors, and no more than that, from what is closed.
func testAfterClose(t *testing.T, p *Pair) {
	tp := connected(t, p)
	c := tp.call(t, 1)
	link, _ := c.link(1400)
	spec, _ := c.specs()
	again := spec
	again.Session++
	if _, err := tp.a.AddSession(t.Context(), spec); err == nil {
		t.Error("a second session with the same identifier: expected an error")
	}
	if err := c.a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.a.Send([]byte(lcp("x"))); err == nil {
		t.Error("sending on a closed session: expected an error")
	}
	if err := c.a.Configure(t.Context(), link); err == nil {
		t.Error("configuring a closed session: expected an error")
	}
	if err := tp.a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := tp.a.Send(control("x")); err == nil {
		t.Error("sending on a closed tunnel: expected an error")
	}
	if _, err := tp.a.AddSession(t.Context(), again); err == nil {
		t.Error("adding a session to a closed tunnel: expected an error")
	}
	unattached := open(t, p.A, 50, netip.AddrPort{}, netip.AddrPortFrom(p.B.Host, port))
	if _, err := unattached.AddSession(t.Context(), again); err == nil {
		t.Error("adding a session to a tunnel not attached: expected an error")
	}
	if err := p.A.Close(); err != nil {
		t.Fatal(err)
	}
	if err := p.A.Close(); err != nil {
		t.Errorf("closing the data plane again: %v", err)
	}
	spec2 := dataplane.TunnelSpec{ID: 51, Peer: netip.AddrPortFrom(p.B.Host, port)}
	if _, err := p.A.OpenTunnel(t.Context(), spec2); err == nil {
		t.Error("opening a tunnel of a closed data plane: expected an error")
	}
}

// testDetach takes the sessions from a tunnel that goes on with control messages,
// and can be attached again.
func testDetach(t *testing.T, p *Pair) {
	tp := connected(t, p)
	c := tp.call(t, 1)
	c.up4(t, 1400) // B's host would send packets of its own by IPv6
	if err := tp.a.Detach(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := tp.a.Detach(t.Context()); err != nil {
		t.Errorf("detaching again: %v", err)
	}
	inv, err := p.A.Inventory(t.Context())
	if err != nil || len(inv.Sessions)+len(inv.Interfaces) > 0 {
		t.Errorf("after Detach there is %+v, %v", inv, err)
	}
	sendControl(t, tp.a, "still here")
	if d := p.B.Said.Datagram(t); string(d.Data[2:]) != "still here" {
		t.Errorf("received %q", d.Data)
	}
	sendControl(t, tp.b, "me too")
	if d := p.A.Said.Datagram(t); string(d.Data[2:]) != "me too" {
		t.Errorf("received %q", d.Data)
	}
	if err := c.a.Close(t.Context()); err != nil {
		t.Errorf("closing a session that went with Detach: %v", err)
	}
}

func testLost(t *testing.T, p *Pair) {
	c := connected(t, p).call(t, 1)
	c.up4(t, 1400)
	p.Lose(t, p.A, c.keyA)
	if id := p.A.Said.Lost(t); id != c.keyA {
		t.Errorf("lost session %s, want %s", id, c.keyA)
	}
	if err := c.a.Close(t.Context()); err != nil {
		t.Errorf("closing the lost session: %v", err)
	}
}

// testWorkers opens, uses and closes many sessions in several tunnels at once.
func testWorkers(t *testing.T, p *Pair) {
	listen(t, p.A, p.A.Host)
	listen(t, p.B, p.B.Host)
	const tunnels, sessions = 4, 16
	var tps []*tunnelPair
	for n := range tunnels {
		tps = append(tps, connect(t, p, n, p.A.Host, p.B.Host))
	}
	errs := make(chan error, tunnels*sessions)
	calls := make(chan *call, tunnels*sessions)
	var wg sync.WaitGroup
	for i, tp := range tps {
		for j := range sessions {
			wg.Go(func() {
				c, err := tp.work(t, i*sessions+j)
				calls <- c
				errs <- err
			})
		}
	}
	for range tunnels * sessions {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
		p.A.Said.Frame(t)
		p.B.Said.Frame(t)
	}
	// Every second session is closed, at the same time as the tunnels, which
	// close the others.
	for n := range tunnels * sessions {
		c := <-calls
		if n%2 == 0 {
			wg.Go(func() { errs <- errors.Join(c.a.Close(t.Context()), c.b.Close(t.Context())) })
		} else {
			errs <- nil
		}
	}
	for _, tp := range tps {
		wg.Go(func() {
			if err := errors.Join(tp.a.Close(t.Context()), tp.b.Close(t.Context())); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for range tunnels * sessions {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	wantEmpty(t, p.A)
	wantEmpty(t, p.B)
}

// work is one worker's: a session up, and a frame each way.
func (tp *tunnelPair) work(t testing.TB, n int) (*call, error) {
	c, err := tp.tryCall(t, n)
	if err != nil {
		return nil, err
	}
	a, b := c.link(1400)
	return c, errors.Join(
		c.a.Configure(t.Context(), a), c.b.Configure(t.Context(), b),
		c.a.Send([]byte(lcp("from A"))), c.b.Send([]byte(lcp("from B"))))
}
