package ppp

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestSecretsAreNotPrinted prints everything that goes in and comes out in every way.
func TestSecretsAreNotPrinted(t *testing.T) {
	const secret = "wonderland"
	cfg := clientConfig(1, allMethods...)
	cred := Credentials{Method: PAP, Name: "alice", Response: []byte(secret)}
	things := []any{
		*cfg, cfg, cred, &cred, Authenticate{Credentials: cred},
		LowerUp{Proxy: &Proxy{Credentials: &cred}}, Authenticated{}, NewLink(cfg).Terms(),
	}
	for _, m := range allMethods {
		p := subscriberPair(t, m, wire{delay: time.Millisecond}, 1)
		p.start()
		p.run(time.Second)
		for _, e := range p.ends {
			for _, a := range e.log {
				things = append(things, a)
				if f, ok := a.(SendFrame); ok {
					things = append(things, FrameReceived(f))
				}
			}
		}
	}
	forms := []string{secret, fmt.Sprintf("%x", secret), fmt.Sprint([]byte(secret))}
	forms = append(forms, strings.Trim(forms[2], "[]"), fmt.Sprintf("%#v", []byte(secret))[7:20])
	for _, thing := range things {
		for _, verb := range []string{"%v", "%+v", "%s", "%#v"} {
			checkHidden(t, fmt.Sprintf("%T %s", thing, verb), fmt.Sprintf(verb, thing), forms)
		}
	}
	for _, thing := range []any{cred, Authenticate{Credentials: cred}, cfg.Password} {
		b, err := json.Marshal(thing)
		if err != nil {
			t.Fatal(err)
		}
		checkHidden(t, fmt.Sprintf("%T as JSON", thing), string(b), append(forms, "d29uZGVybGFuZA"))
	}
}

func checkHidden(t *testing.T, what, text string, forms []string) {
	t.Helper()
	for _, f := range forms {
		if strings.Contains(text, f) {
			t.Errorf("%s shows the password: %s", what, text)
		}
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{AckRcvd.String(), "Ack-Rcvd"}, {State(77).String(), "state 77"},
		{PhaseNetwork.String(), "Network"}, {MSCHAPv2.String(), "MS-CHAPv2"},
		{ProtocolIPv6CP.String(), "IPV6CP"}, {Protocol(0x2b).String(), "protocol 0x002b"},
		{IPv6.String(), "IPv6"}, {LoopDetected.String(), "loop detected"},
		{printable([]byte("a\x1b[2Jb\n")), "a?[2Jb?"},
		{Describe([]byte{0xc0, 0x21, 1}), "LCP malformed packet of 1 bytes"},
		{Describe(nil), "malformed frame of 0 bytes"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}
