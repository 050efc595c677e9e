package l2tp

import (
	"fmt"
	"testing"
	"time"
)

func sprintf(format string, v any) string { return fmt.Sprintf(format, v) }

// A quirky is a tunnel whose peer is played by the test.
type quirky struct {
	*testing.T
	tunnel *Tunnel
	now    time.Time
	ns     uint16
	acts   []Action
}

func newQuirky(t *testing.T, tunnel *Tunnel) *quirky {
	return &quirky{T: t, tunnel: tunnel, now: start}
}

func (q *quirky) step(ev Event) { q.acts = append(q.acts, q.tunnel.Step(q.now, ev)...) }

// peer has the peer send octets as the AVPs of its next message.
func (q *quirky) peer(tid TunnelID, sid SessionID, avps []byte) {
	nr := q.tunnel.Stats().Ns
	q.step(MessageReceived{appendControl(nil, tid, sid, q.ns, nr, avps)})
	q.ns++
}

// up makes the tunnel established.
func (q *quirky) up() {
	q.Helper()
	q.peer(0, 0, AppendMessage(nil, sccrqOf("peer")))
	q.peer(10, 0, AppendMessage(nil, &SCCCN{}))
	if q.tunnel.State() != TunnelEstablished {
		q.Fatalf("the tunnel is %v, want established", q.tunnel.State())
	}
}

func sccrqOf(host string) *SCCRQ {
	return &SCCRQ{ProtocolVersion: 0x100, HostName: host, FramingCapabilities: 3, AssignedTunnelID: 77}
}

// end gives the End of the first Stopped or SessionDown.
func (q *quirky) end() (End, bool) {
	for _, a := range q.acts {
		switch a := a.(type) {
		case Stopped:
			return a.End, true
		case SessionDown:
			return a.End, true
		}
	}
	return End{}, false
}

// TestQuirk has a test for each departure of a real peer.
func TestQuirk(t *testing.T) {
	rand := func() *counting { return &counting{} }
	respond := func(t *testing.T) *quirky {
		return newQuirky(t, Respond(&Config{HostName: "h", Rand: rand()}, 10))
	}
	t.Run("l2tpns sends no Receive Window Size", func(t *testing.T) {
		q := newQuirky(t, Initiate(&Config{HostName: "h", Rand: rand()}, 10))
		q.step(Open{})
		q.peer(10, 0, AppendMessage(nil, &SCCRP{ProtocolVersion: 0x100, HostName: "l2tpns",
			FramingCapabilities: 3, AssignedTunnelID: 77}))
		if w := q.tunnel.Stats().SendWindow; w != 4 {
			t.Errorf("send window %d, want 4", w)
		}
	})
	t.Run("kl2tpd sends Protocol Version without M", func(t *testing.T) {
		q := respond(t)
		b := AppendMessage(nil, sccrqOf("kl2tpd"))
		b[8] &^= 0x80 // the AVP behind the Message Type
		q.peer(0, 0, b)
		if q.tunnel.State() != TunnelWaitCtlConn {
			t.Errorf("state %v", q.tunnel.State())
		}
	})
	t.Run("Huawei sets M bits wrongly", func(t *testing.T) {
		q := respond(t)
		b := AppendMessage(nil, &SCCRQ{ProtocolVersion: 0x100, HostName: "h", FramingCapabilities: 3,
			AssignedTunnelID: 77, FirmwareRevision: 1, VendorName: "v"})
		off := 0
		for a := range AVPs(b) {
			if off > 0 {
				b[off] ^= 0x80
			}
			off += avpHeaderLen + len(a.Value)
		}
		q.peer(0, 0, b)
		if q.tunnel.State() != TunnelWaitCtlConn {
			t.Errorf("state %v", q.tunnel.State())
		}
	})
	t.Run("Cisco answers a challenge with six octets more", func(t *testing.T) {
		q := newQuirky(t, Respond(&Config{Secret: "x", ChallengePeer: true, Rand: rand()}, 10))
		q.peer(0, 0, AppendMessage(nil, sccrqOf("cisco")))
		r := challengeResponse(TypeSCCCN, "x", q.tunnel.challenge)
		q.peer(10, 0, AppendMessage(nil, &SCCCN{append(r, 1, 2, 3, 4, 5, 6)}))
		if q.tunnel.State() != TunnelEstablished {
			t.Errorf("state %v", q.tunnel.State())
		}
	})
	t.Run("Cisco offers a window of 20050", func(t *testing.T) {
		q := respond(t)
		m := sccrqOf("cisco")
		m.ReceiveWindowSize = 20050
		q.peer(0, 0, AppendMessage(nil, m))
		if w := q.tunnel.Stats().SendWindow; w != 256 {
			t.Errorf("send window %d, want the cap of 256", w)
		}
	})
	t.Run("Cisco cannot read hidden AVPs in an SCCRQ", func(t *testing.T) {
		q := newQuirky(t, Initiate(&Config{Secret: "x", ChallengePeer: true, HideAVPs: true,
			Rand: rand()}, 10))
		q.step(Open{})
		_, body, _ := ParseHeader(q.acts[0].(Send).Data)
		for a := range AVPs(body) {
			if a.Hidden || a.Type == AttrRandomVector {
				t.Errorf("%v, hidden %v", a.Type, a.Hidden)
			}
		}
	})
	t.Run("DrayTek refuses a connect speed of zero", func(t *testing.T) {
		tunnel := respond(t).tunnel
		m := tunnel.iccn(&Call{})
		if m.TxConnectSpeed != 1_000_000 || m.FramingType != FramingSync {
			t.Errorf("%+v", m)
		}
	})
	t.Run("xl2tpd says speed 0 and bearer 0", func(t *testing.T) {
		q := respond(t)
		q.up()
		q.peer(10, 0, AppendMessage(nil, &ICRQ{AssignedSessionID: 5, CallSerialNumber: 1}))
		q.step(CallAccepted{1})
		q.peer(10, 1, AppendMessage(nil, &ICCN{FramingType: FramingAsync}))
		if count[SessionUp](q.acts) != 1 {
			t.Errorf("no session up: %v", q.acts)
		}
	})
	t.Run("padding of zeros behind the last AVP", func(t *testing.T) {
		q := respond(t)
		q.peer(0, 0, append(AppendMessage(nil, sccrqOf("h")), 0, 0, 0, 0, 0, 0, 0, 0))
		if q.tunnel.State() != TunnelWaitCtlConn {
			t.Errorf("state %v", q.tunnel.State())
		}
	})
	t.Run("an empty host name from old l2tpd", func(t *testing.T) {
		q := respond(t)
		q.peer(0, 0, AppendMessage(nil, sccrqOf("")))
		if q.tunnel.State() != TunnelWaitCtlConn {
			t.Errorf("state %v", q.tunnel.State())
		}
	})
	for name, value := range map[string]string{
		"a Result Code of two octets":                "0003",
		"a Result Code of three octets":              "000300",
		"a Result Code with half an error code less": "00030000",
		"a Result Code with text that is not UTF-8":  "00030000ff",
	} {
		t.Run(name, func(t *testing.T) {
			q := respond(t)
			q.up()
			b := AppendMessage(nil, &StopCCN{AssignedTunnelID: 77})
			b = AppendAVP(b[:16], AVP{Mandatory: true, Type: AttrResultCode, Value: unhex(t, value)})
			q.peer(10, 0, b)
			if e, ok := q.end(); !ok || !e.ByPeer || e.Result.Code != 3 {
				t.Errorf("end %+v, %v", e, ok)
			}
		})
	}
	t.Run("a StopCCN without a Result Code", func(t *testing.T) {
		q := respond(t)
		q.up()
		q.peer(10, 0, AppendMessage(nil, &StopCCN{AssignedTunnelID: 77})[:16])
		if e, ok := q.end(); !ok || !e.ByPeer {
			t.Errorf("end %+v, %v", e, ok)
		}
	})
	t.Run("a CDN with causes of Q.931 and RFC 3145", func(t *testing.T) {
		q := respond(t)
		q.up()
		q.peer(10, 0, AppendMessage(nil, &ICRQ{AssignedSessionID: 5, CallSerialNumber: 1}))
		q.peer(10, 1, AppendMessage(nil, &CDN{Result{Code: 1}, 5, &Q931Cause{16, 0x45, "a"},
			&DisconnectCause{3, 0xc021, 1, "b"}}))
		e, _ := q.end()
		if e.Cause == nil || e.Cause.Code != 16 || e.Disconnect == nil || e.Disconnect.Message != "b" {
			t.Errorf("end %+v", e)
		}
	})
	t.Run("another vendor's attributes are not taken for the RFC's", func(t *testing.T) {
		q := respond(t)
		b := AppendMessage(nil, sccrqOf("h"))
		for at := range AttributeType(numAttributes) {
			b = AppendAVP(b, AVP{VendorID: 9, Type: at, Value: []byte{0xff, 0xff, 0xff}})
		}
		q.peer(0, 0, b)
		if q.tunnel.State() != TunnelWaitCtlConn || q.tunnel.Peer().HostName != "h" {
			t.Errorf("state %v, peer %+v", q.tunnel.State(), q.tunnel.Peer())
		}
	})
	t.Run("a StopCCN that races ours", func(t *testing.T) {
		q := respond(t)
		q.up()
		q.step(Stop{Result{Code: StopGeneral}})
		before := q.tunnel.Stats().ZLBSent
		q.peer(10, 0, AppendMessage(nil, &StopCCN{77, Result{Code: 1}}))
		if q.tunnel.Stats().ZLBSent != before+1 || count[Stopped](q.acts) != 1 {
			t.Errorf("not acknowledged once, or stopped twice: %v", q.acts)
		}
	})
	t.Run("a retransmitted SCCRQ is the same tunnel", func(t *testing.T) {
		q := respond(t)
		b := appendControl(nil, 0, 0, 0, 0, AppendMessage(nil, sccrqOf("XP")))
		q.step(MessageReceived{b})
		q.step(MessageReceived{b})
		if s := q.tunnel.Stats(); s.Duplicates != 1 || s.Sent[TypeSCCRP] != 1 || s.ZLBSent != 1 {
			t.Errorf("%+v", s)
		}
		got, err := PeekSCCRQ(b)
		if err != nil || got.AssignedTunnelID != 77 || got.HostName != "XP" {
			t.Errorf("peeked %+v, %v", got, err)
		}
	})
}
