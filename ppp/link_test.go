package ppp

import (
	"runtime"
	"testing"
	"time"
	"unsafe"
)

// TestLoopback gives a link its own frames (RFC 1661, 6.4).
func TestLoopback(t *testing.T) {
	l := NewLink(&Config{Rand: seeded(1)})
	now, frames := epoch, []Action(l.Step(epoch, LowerUp{}))
	for range 100 {
		var next []Action
		for _, a := range frames {
			switch a := a.(type) {
			case SendFrame:
				next = append(next, l.Step(now, FrameReceived(a))...)
			case LinkUp:
				t.Fatal("a looped link came up")
			case Finished:
				if a.End.Reason != LoopDetected {
					t.Errorf("end = %v, want %v", a.End, LoopDetected)
				}
				return
			}
		}
		if frames = next; len(frames) == 0 && !l.Deadline().IsZero() {
			now = l.Deadline()
			frames = l.Step(now, Tick{})
		}
	}
	t.Error("the loop was not noticed")
}

// A loop that closes when the link is up is seen by the echo.
func TestLoopAfterOpening(t *testing.T) {
	p := subscriberPair(t, PAP, wire{delay: time.Millisecond}, 1)
	p.ends[0].link.cfg.EchoInterval = 10 * time.Second
	p.start()
	p.run(5 * time.Second)
	for _, a := range p.ends[0].link.Step(p.now.Add(6*time.Second), Tick{}) {
		if f, ok := a.(SendFrame); ok {
			p.ends[0].link.Step(p.now.Add(6*time.Second), FrameReceived(f))
		}
	}
	if r := p.ends[0].link.End().Reason; r != LoopDetected {
		t.Errorf("end = %v, want %v", r, LoopDetected)
	}
}

func TestStepReturnsNilForNothing(t *testing.T) {
	if out := NewLink(&Config{}).Step(epoch, Tick{}); out != nil {
		t.Errorf("Step = %v, want nil", out)
	}
}

// The actions are the caller's: a frame that was received is not in them.
func TestFramesAreNotKept(t *testing.T) {
	l := NewLink(&Config{Rand: seeded(1)})
	l.Step(epoch, LowerUp{})
	in := []byte{0xc0, 0x21, 1, 1, 0, 10, 19, 6, 1, 2, 3, 4}
	out := l.Step(epoch, FrameReceived{Frame: in})
	want := Describe(out[0].(SendFrame).Frame)
	clear(in)
	if got := Describe(out[0].(SendFrame).Frame); got != want {
		t.Errorf("an answer changed with the frame it answers: %s, want %s", got, want)
	}
	if e := l.Terms().PeerEndpoint; string(e) != "\x01\x02\x03\x04" {
		t.Errorf("PeerEndpoint = %x, want 01020304", e)
	}
}

// TestIdleLinkIsSmall holds an opened, authenticated link to 1 KiB and a bit.
func TestIdleLinkIsSmall(t *testing.T) {
	const links = 2000
	server, client := serverConfig(1, CHAPMD5), clientConfig(1, CHAPMD5)
	kept := make([]*Link, links)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range kept {
		a := &end{link: NewLink(server), grant: lnsGrant, password: "wonderland"}
		p := newPair(t, a, &end{link: NewLink(client)}, wire{delay: time.Millisecond}, 1)
		p.start()
		p.run(time.Second)
		if !p.bothUp(IPv4) {
			t.Fatal("not up")
		}
		kept[i] = a.link
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	size := int(after.HeapAlloc-before.HeapAlloc) / links
	t.Logf("%d bytes a link", size)
	if size > 1100 {
		t.Errorf("an idle link takes %d bytes, want at most 1100", size)
	}
	runtime.KeepAlive(kept)
}

// A repeated challenge gets the response that it had, or the Success for one would
// not fit the other (MS-CHAPv2 has a challenge of ours in its response).
func TestCopiesOfAChallenge(t *testing.T) {
	l := NewLink(clientConfig(1, MSCHAPv2))
	l.state.LocalAuth.Method = MSCHAPv2
	challenge := packet{chapChallenge, 5, appendCounted(nil, "0123456789abcdef")}
	l.receiveChallenge(challenge)
	l.receiveChallenge(challenge)
	challenge.data[3] ^= 1
	l.receiveChallenge(challenge)
	first, second := l.out[0].(SendFrame).Frame, l.out[1].(SendFrame).Frame
	if string(first) != string(second) {
		t.Errorf("responses %x and %x to one challenge", first, second)
	}
	if third := l.out[2].(SendFrame).Frame; string(third[7:23]) == string(first[7:23]) {
		t.Errorf("another challenge has the same peer challenge %x", third[7:23])
	}
}

// "The Rejected-Packet MUST be truncated to comply with the peer's established MRU"
// (RFC 1661, 5.6), and so must what is in a Protocol-Reject.
func TestRejectsFitThePeersMRU(t *testing.T) {
	l := NewLink(&Config{Rand: seeded(1)})
	l.Step(epoch, LowerUp{})
	l.Step(epoch, FrameReceived{Frame: []byte{0xc0, 0x21, 1, 1, 0, 8, 1, 4, 0, 200}})
	ack := AppendFrame(nil, ProtocolLCP,
		appendPacket(nil, packet{configureAck, 1, l.state.Controls[lcpIndex].Request}))
	l.Step(epoch, FrameReceived{Frame: ack})
	unknownCode := AppendFrame(nil, ProtocolLCP, appendPacket(nil, packet{99, 1, make([]byte, 900)}))
	echo := AppendFrame(nil, ProtocolLCP, appendPacket(nil, packet{echoRequest, 1, make([]byte, 900)}))
	unknownProtocol := append([]byte{0x00, 0x2b}, make([]byte, 900)...)
	for _, f := range [][]byte{unknownCode, unknownProtocol, echo} {
		out := l.Step(epoch, FrameReceived{Frame: f})
		if len(out) != 1 || len(out[0].(SendFrame).Frame) != 2+200 {
			t.Errorf("answer to %d bytes: %v, want 200 bytes and the protocol", len(f), out)
		}
	}
}

// TestLinkSize: there are as many links as sessions, and Go rounds what one takes up to the next
// size that it has (runtime/sizeclasses.go), a word for the collector included.
func TestLinkSize(t *testing.T) {
	const class, word = 704, 8
	if size := unsafe.Sizeof(Link{}) + word; size > class {
		t.Errorf("a Link takes %d bytes, want at most %d: the next size is 768", size, class)
	}
}
