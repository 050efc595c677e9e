package ppp

import (
	"bytes"
	"strings"
	"testing"
)

// presented is what a peer presents by each method.
func presented(t testing.TB, m AuthMethod, password Secret) Credentials {
	t.Helper()
	challenge := bytes.Repeat([]byte{7}, challengeSize(m))
	c := Credentials{Method: m, Name: "alice", ID: 3, Challenge: challenge}
	l := &Link{cfg: &Config{User: "alice", Password: password, Rand: seeded(4)}}
	switch m {
	case PAP:
		c.Challenge, c.Response = nil, []byte(password)
	case EAP:
		c.State = c.Challenge
		data := appendCounted([]byte{eapMD5}, string(chapMD5(3, password, c.State)))
		c.Response = appendPacket(nil, packet{eapResponse, 3, data})
	default:
		c.Response, _ = l.respond(m, 3, c.Challenge)
	}
	return c
}

func TestVerify(t *testing.T) {
	for _, m := range allMethods {
		c := presented(t, m, "wonderland")
		if v := Verify(c, "wonderland"); !v.OK || v.Continue {
			t.Errorf("%v: the right password: %+v", m, v)
		}
		for _, wrong := range []Secret{"", "Wonderland", "wonderlan", "wonderland2"} {
			if v := Verify(c, wrong); v.OK {
				t.Errorf("%v: the password %q is as good as the right one", m, string(wrong))
			}
		}
		c.Response = c.Response[:len(c.Response)-1]
		if v := Verify(c, "wonderland"); v.OK {
			t.Errorf("%v: a response cut short is as good", m)
		}
		c.Response, c.Challenge, c.State = nil, nil, nil
		if v := Verify(c, "wonderland"); v.OK {
			t.Errorf("%v: no response is as good", m)
		}
	}
	if v := Verify(Credentials{}, ""); v.OK {
		t.Error("no method is as good")
	}
}

func TestVerdictMessages(t *testing.T) {
	for m, want := range map[AuthMethod]struct{ yes, no string }{
		MSCHAPv1: {"Access granted", "E=691 R=0 C=0707070707070707 V=2"},
		MSCHAPv2: {"S=", "E=691 R=0 C=07070707070707070707070707070707 V=3 M=Access denied"},
	} {
		c := presented(t, m, "wonderland")
		if v := Verify(c, "wonderland"); !strings.HasPrefix(v.Message, want.yes) {
			t.Errorf("%v: success message %q, want %q", m, v.Message, want.yes)
		}
		if v := Verify(c, "nonsense"); v.Message != want.no {
			t.Errorf("%v: failure message %q, want %q", m, v.Message, want.no)
		}
	}
}

// A LAN Manager response is refused even if an NT response is there as well.
func TestLANManagerRefused(t *testing.T) {
	c := presented(t, MSCHAPv1, "wonderland")
	c.Response[48] = 0
	if v := Verify(c, "wonderland"); v.OK {
		t.Error("a LAN Manager response was accepted")
	}
}

// EAP: the peer cannot choose the challenge by calling itself known, nor prove
// itself without one.
func TestVerifyEAPNeedsItsOwnChallenge(t *testing.T) {
	c := presented(t, EAP, "wonderland")
	c.State = nil
	if v := Verify(c, "wonderland"); v.OK || v.Continue {
		t.Errorf("a response to no challenge: %+v", v)
	}
}
