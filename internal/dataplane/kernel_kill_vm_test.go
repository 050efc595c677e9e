package dataplane_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"culvert/internal/dataplane"
	"culvert/internal/dataplane/dataplanetest"
	"culvert/internal/keeper"
	"culvert/l2tp"
	"culvert/test/daemon"
	"culvert/test/lab"
)

// What a victim is told by its environment.
const (
	victimRole   = "CULVERT_TEST_VICTIM" // how it begins: open or adopt
	victimKeeper = "CULVERT_TEST_KEEPER" // the keeper's socket
)

// The addresses of the victim's tunnel and link.
var (
	victimAddr = netip.MustParseAddrPort("192.0.2.1:17010")
	victimPeer = netip.MustParseAddrPort("192.0.2.2:17010")
	victimLink = dataplane.LinkSpec{
		Name: "victim", MTU: 1400, MRU: 1400,
		IPv4: dataplane.PointToPoint{
			Local: netip.MustParseAddr("10.9.0.1"), Peer: netip.MustParseAddr("10.9.0.2"),
		},
	}
)

const victimTunnel, victimSession, peerTunnel, peerSession = 1, 3, 2, 4

// victim is a process with a tunnel and a session, of its own or adopted. It says so,
// echoes what it is sent, and ends everything when its input ends.
func victim(role string) int {
	if err := beVictim(context.Background(), role); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func beVictim(ctx context.Context, role string) error {
	client, kept, err := keeper.Dial(os.Getenv(victimKeeper))
	if err != nil {
		return err
	}
	defer client.Close()
	echo := &echoer{sessions: make(chan dataplane.Session, 1), frames: make(chan []byte, 100)}
	d, err := dataplane.NewKernel(echo, dataplane.KernelOptions{Keeper: client, Kept: kept})
	if err != nil {
		return err
	}
	go echo.run()
	open := openVictim
	if role == "adopt" {
		open = adoptVictim
	}
	s, err := open(ctx, d)
	if err != nil {
		return fmt.Errorf("%s: %w", role, err)
	}
	echo.sessions <- s
	fmt.Println("ready")
	for scanner := bufio.NewScanner(os.Stdin); scanner.Scan(); {
	}
	return d.Close()
}

func openVictim(ctx context.Context, d dataplane.Dataplane) (dataplane.Session, error) {
	tun, err := d.OpenTunnel(ctx, dataplane.TunnelSpec{ID: victimTunnel, Local: victimAddr, Peer: victimPeer})
	if err != nil {
		return nil, err
	}
	if err := tun.Attach(ctx, peerTunnel); err != nil {
		return nil, err
	}
	s, err := tun.AddSession(ctx, dataplane.SessionSpec{Session: victimSession, PeerSession: peerSession})
	if err != nil {
		return nil, err
	}
	return s, s.Configure(ctx, victimLink)
}

func adoptVictim(ctx context.Context, d dataplane.Dataplane) (dataplane.Session, error) {
	spec := dataplane.TunnelSpec{ID: victimTunnel, Local: victimAddr, Peer: victimPeer}
	tun, err := d.AdoptTunnel(ctx, spec, peerTunnel)
	if err != nil {
		return nil, err
	}
	s, err := tun.AdoptSession(ctx, dataplane.SessionSpec{Session: victimSession, PeerSession: peerSession},
		dataplane.Configured{Link: &victimLink})
	if err != nil {
		return nil, err
	}
	keys, err := d.DropRest(ctx)
	if len(keys) > 0 {
		return nil, fmt.Errorf("dropped %q", keys)
	}
	return s, err
}

// An echoer sends frames back.
type echoer struct {
	sessions chan dataplane.Session
	frames   chan []byte
}

func (e *echoer) DatagramReceived(dataplane.Datagram)            {}
func (e *echoer) SessionLost(dataplane.SessionKey, error)        {}
func (e *echoer) FrameReceived(_ dataplane.SessionKey, f []byte) { e.frames <- f }
func (e *echoer) run() {
	s := <-e.sessions
	for f := range e.frames {
		s.Send(f)
	}
}

// A victimProcess is a victim as its killer sees it.
type victimProcess struct {
	*lab.Daemon
	t  *testing.T
	in io.Closer
}

func startVictim(t *testing.T, ns *lab.NetNS, role, keeping string) *victimProcess {
	t.Helper()
	cmd := ns.Command(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), victimRole+"="+role, victimKeeper+"="+keeping)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	v := &victimProcess{Daemon: lab.StartDaemon(t, cmd, "victim"), t: t, in: in}
	v.WaitOutput(limit, "ready")
	return v
}

// end ends the victim politely.
func (v *victimProcess) end() {
	v.t.Helper()
	v.in.Close()
	if err := v.Wait(limit); err != nil {
		v.t.Errorf("the last one: %v", err)
	}
}

// TestKernelKill9 kills the process of a session again and again, in which packets go
// both ways all the time: none is lost, nor is a frame of the peer.
func TestKernelKill9(t *testing.T) {
	lab.RequireKernel(t)
	h := dataplanetest.NewRecorder()
	p := dataplanetest.Hosts(newKernel, true)(t, h, h)
	p.A.Said, p.B.Said = h, h
	defer p.A.Close()
	defer p.B.Close()
	keeping := filepath.Join(t.TempDir(), "keeper.sock")
	cmd := exec.Command(daemon.Program(t, "culvert-keeper"), "--socket", keeping)
	lab.StartDaemon(t, cmd, "culvert-keeper").WaitOutput(limit, "serving")
	before := p.A.NetNS().State()
	begin := func(role string) *victimProcess { return startVictim(t, p.A.NetNS(), role, keeping) }
	victim := begin("open")
	s := openPeer(t, p.B)
	there := lab.StartPaced(t, p.A.NetNS(), victimLink.IPv4.Local, p.B.NetNS(), victimLink.IPv4.Peer, 5*time.Millisecond)
	back := lab.StartPaced(t, p.B.NetNS(), victimLink.IPv4.Peer, p.A.NetNS(), victimLink.IPv4.Local, 5*time.Millisecond)
	for i := range 5 {
		victim.Kill()
		frame := "\xc0\x21echo " + fmt.Sprint(i)
		if err := s.Send([]byte(frame)); err != nil {
			t.Fatal(err)
		}
		victim = begin("adopt")
		if f := h.Frame(t); f.Data != frame {
			t.Errorf("the frame that came back is %q, want %q", f.Data, frame)
		}
	}
	t.Logf("%d and %d packets, none lost", there.Stop(), back.Stop())
	victim.end()
	if err := p.B.Close(); err != nil {
		t.Error(err)
	}
	p.A.NetNS().CheckLeaks(t, before)
}

// openPeer opens the other end of the victim's session.
func openPeer(t *testing.T, side *dataplanetest.Side) dataplane.Session {
	t.Helper()
	tun, err := side.OpenTunnel(t.Context(), dataplane.TunnelSpec{ID: peerTunnel, Local: victimPeer, Peer: victimAddr})
	if err != nil {
		t.Fatal(err)
	}
	if err := tun.Attach(t.Context(), l2tp.TunnelID(victimTunnel)); err != nil {
		t.Fatal(err)
	}
	s, err := tun.AddSession(t.Context(), dataplane.SessionSpec{
		Session: peerSession, PeerSession: victimSession, LNS: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	link := victimLink
	link.Name, link.IPv4 = "peer", dataplane.PointToPoint{Local: link.IPv4.Peer, Peer: link.IPv4.Local}
	if err := s.Configure(t.Context(), link); err != nil {
		t.Fatal(err)
	}
	return s
}
