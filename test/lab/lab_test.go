package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// pair makes two namespaces that see each other.
func pair(t *testing.T) (a, b *NetNS) {
	t.Helper()
	RequireRoot(t)
	a, b = NewNetNS(t, "a"), NewNetNS(t, "b")
	Veth(t, a, "eth0", []string{"192.0.2.1/24", "2001:db8::1/64"},
		b, "eth0", []string{"192.0.2.2/24", "2001:db8::2/64"})
	return a, b
}

func TestPing(t *testing.T) {
	a, b := pair(t)
	RequireProgram(t, "ping")
	a.Ping(t, netip.MustParseAddr("192.0.2.2"), 3)
	b.Ping(t, netip.MustParseAddr("2001:db8::1"), 3)
	err := a.TryPing(t.Context(), netip.MustParseAddr("192.0.2.3"), 1)
	if err == nil {
		t.Error("an address that nobody has answers")
	}
}

func TestLose(t *testing.T) {
	a, b := pair(t)
	RequireProgram(t, "nft")
	to := netip.MustParseAddr("192.0.2.2")
	for _, step := range []struct {
		perMille int
		arrives  bool
	}{{1000, false}, {0, true}, {1000, false}, {0, true}} {
		b.Lose("eth0", step.perMille)
		if err := a.TryPing(t.Context(), to, 1); err == nil != step.arrives {
			t.Errorf("with %d of 1000 lost: %v", step.perMille, err)
		}
	}
}

func TestTransfer(t *testing.T) {
	a, b := pair(t)
	Transfer(t, a, b, netip.MustParseAddr("192.0.2.2"), 1<<20)
	Transfer(t, b, a, netip.MustParseAddr("2001:db8::1"), 1<<20)
}

func TestDoReturnsHome(t *testing.T) {
	a, _ := pair(t)
	count := func() int {
		list, err := net.Interfaces()
		if err != nil {
			t.Error(err)
		}
		return len(list)
	}
	before := count()
	var inside int
	want := errors.New("an error")
	if err := a.Do(func() error { inside = count(); return want }); err != want {
		t.Errorf("Do = %v, want %v", err, want)
	}
	if inside < 2 {
		t.Errorf("%d interfaces inside, want lo and eth0", inside)
	}
	if after := count(); after != before {
		t.Errorf("%d interfaces after Do, want %d", after, before)
	}
}

func TestDaemon(t *testing.T) {
	a, _ := pair(t)
	d := a.StartDaemon(t, "sh", "-c", "trap 'echo bye; exit 3' TERM; echo ready $$; "+
		"while :; do sleep 0.1; done")
	pid := d.WaitOutput(10*time.Second, `ready (\d+)`)[1]
	if want := fmt.Sprint(d.Cmd.Process.Pid); pid != want {
		t.Errorf("the daemon's process is %s, ours %s", pid, want)
	}
	if err := d.Stop(); err != nil {
		t.Error(err)
	}
	if err := d.Wait(time.Second); err == nil || err.Error() != "exit status 3" {
		t.Errorf("Wait = %v, want exit status 3", err)
	}
	d.WaitOutput(time.Second, "bye")
}

func TestEtcFile(t *testing.T) {
	a, b := pair(t)
	a.EtcFile("hosts", "192.0.2.2 b\n", 0o644)
	if got := a.Run("cat", "/etc/hosts"); got != "192.0.2.2 b\n" {
		t.Errorf("inside /etc/hosts has %q", got)
	}
	if strings.Contains(b.Run("cat", "/etc/hosts"), "192.0.2.2 b") {
		t.Error("the other namespace sees the file too")
	}
}

func TestLeakIsSeen(t *testing.T) {
	a, _ := pair(t)
	before := a.State()
	if left := a.State().beyond(before); left != "" {
		t.Errorf("nothing was done, yet left is:\n%s", left)
	}
	a.Run("ip", "route", "add", "203.0.113.0/24", "via", "192.0.2.2")
	if left := a.State().beyond(before); !strings.Contains(left, "left: IPv4 route: 203.0.113.0/24") {
		t.Errorf("a route was left, but found is:\n%s", left)
	}
	a.Run("ip", "route", "del", "203.0.113.0/24")
	a.CheckLeaks(t, before)
}

// A malformed L2TP packet must be found, or CheckCapture proves nothing.
func TestCaptureFindsMalformed(t *testing.T) {
	a, b := pair(t)
	RequireProgram(t, "tshark")
	c := a.Capture(t, "eth0", "udp port 1701")
	for _, packet := range []string{
		// A ZLB, as RFC 2661, 5.8 has it: flags, length, tunnel, session, Ns, Nr.
		"\xc8\x02\x00\x0c\x00\x01\x00\x00\x00\x00\x00\x00",
		// The same with an AVP of 40 bytes of which 6 are there.
		"\xc8\x02\x00\x12\x00\x01\x00\x00\x00\x00\x00\x00\x80\x28\x00\x00\x00\x00",
	} {
		if err := sendDatagram(a, b, packet); err != nil {
			t.Fatal(err)
		}
	}
	file := c.Stop()
	found := Tshark(t, file, expert, "-T", "fields", "-e", "frame.number")
	if found != "2" {
		t.Errorf("found packets %q, want only 2: %s", found, Tshark(t, file, "", "-V"))
	}
}

// sendDatagram sends from a to b's L2TP port, and returns when b has it.
func sendDatagram(a, b *NetNS, packet string) error {
	var in, out *net.UDPConn
	to := &net.UDPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 1701}
	err := b.Do(func() (err error) {
		in, err = net.ListenUDP("udp", to)
		return err
	})
	if err != nil {
		return err
	}
	defer in.Close()
	err = a.Do(func() (err error) {
		out, err = net.DialUDP("udp", nil, to)
		return err
	})
	if err != nil {
		return err
	}
	defer out.Close()
	if _, err := out.Write([]byte(packet)); err != nil {
		return err
	}
	in.SetReadDeadline(time.Now().Add(10 * time.Second))
	_, err = in.Read(make([]byte, 2000))
	return err
}
