package l2tp

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestParseHeader(t *testing.T) {
	tests := []struct {
		name, in, payload string
		want              Header
		reason            Reason
	}{
		{name: "ZLB", in: "c802 000c 0001 0002 0003 0004",
			want: Header{Control: true, HasLength: true, HasSequence: true, Length: 12,
				TunnelID: 1, SessionID: 2, Ns: 3, Nr: 4}},
		{name: "reserved bits are ignored", in: "fcf2 000c 0001 0002 0003 0004",
			want: Header{Control: true, HasLength: true, HasSequence: true, Length: 12,
				TunnelID: 1, SessionID: 2, Ns: 3, Nr: 4}},
		{name: "octets behind the length", in: "c802 000c 0001 0002 0003 0004 ffff",
			want: Header{Control: true, HasLength: true, HasSequence: true, Length: 12,
				TunnelID: 1, SessionID: 2, Ns: 3, Nr: 4}},
		{name: "shortest data", in: "0002 0001 0002 c021", payload: "c021",
			want: Header{TunnelID: 1, SessionID: 2}},
		{name: "data with all fields", payload: "ff03",
			in: "4b02 0014 0001 0002 0003 0004 0004 aaaaaaaa ff03",
			want: Header{HasLength: true, HasSequence: true, HasOffset: true, Priority: true,
				Length: 20, TunnelID: 1, SessionID: 2, Ns: 3, Nr: 4, OffsetSize: 4}},
		{name: "empty", in: "", reason: BadHeader},
		{name: "short", in: "c802 000c 0001 0002 0003 00", reason: BadHeader},
		{name: "L2F", in: "c801 000c 0001 0002 0003 0004", reason: BadVersion},
		{name: "version 3", in: "c803 000c 0001 0002 0003 0004", reason: BadVersion},
		{name: "control without length", in: "8802 0001 0002 0003 0004", reason: BadHeader},
		{name: "control without sequence", in: "c002 0008 0001 0002", reason: BadHeader},
		{name: "control with offset", in: "ca02 000e 0001 0002 0003 0004 0000", reason: BadHeader},
		{name: "length too short", in: "c802 000b 0001 0002 0003 0004", reason: BadHeader},
		{name: "length too long", in: "c802 000d 0001 0002 0003 0004", reason: BadHeader},
		{name: "offset too long", in: "0202 0001 0002 0001", reason: BadHeader},
	}
	for _, tt := range tests {
		h, payload, err := ParseHeader(unhex(t, tt.in))
		if tt.reason != 0 {
			if pe, ok := errors.AsType[*ParseError](err); !ok || pe.Reason != tt.reason {
				t.Errorf("%s: error %v, want %v", tt.name, err, tt.reason)
			}
			continue
		}
		if err != nil || h != tt.want || hex.EncodeToString(payload) != tt.payload {
			t.Errorf("%s: %+v, %x, %v, want %+v, %s", tt.name, h, payload, err, tt.want, tt.payload)
		}
		if again := append(AppendHeader(nil, h, len(payload)), payload...); len(payload) > 0 {
			h2, p2, err := ParseHeader(again)
			if err != nil || h2 != h || !bytes.Equal(p2, payload) {
				t.Errorf("%s: appended and parsed: %+v, %x, %v", tt.name, h2, p2, err)
			}
		}
	}
}

// TestHide compares with values from another implementation of section 4.3.
func TestHide(t *testing.T) {
	vector := make([]byte, 16)
	for i := range vector {
		vector[i] = byte(i)
	}
	tests := []struct {
		attr                   AttributeType
		secret                 Secret
		vector, value, padding []byte
		want                   string
	}{
		{33, "sesame", vector, []byte("a password that needs more than two blocks"), []byte{7, 7, 7},
			"d584d93612e2a646a99ca8bd477e133a0dfadd87ddc879fff6461d62e3fcb3c3" +
				"c7b657c19fd26849d1e947bbe76250"},
		{14, "s", []byte{1}, []byte{0, 5}, nil, "14931e5c"},
	}
	for _, tt := range tests {
		got := hide(tt.attr, tt.secret, tt.vector, tt.value, tt.padding)
		if hex.EncodeToString(got) != tt.want {
			t.Errorf("hidden %v is %x, want %s", tt.attr, got, tt.want)
		}
		back, ok := unhide(tt.attr, tt.secret, tt.vector, got)
		if !ok || !bytes.Equal(back, tt.value) {
			t.Errorf("unhidden %v is %q, %v, want %q", tt.attr, back, ok, tt.value)
		}
	}
}

func TestChallengeResponse(t *testing.T) {
	challenge := []byte{0, 1, 2, 3, 4, 5, 6, 7}
	got := challengeResponse(TypeSCCRP, "sesame", challenge)
	if want := "a428345b74e5e15b93465fc3d901636f"; hex.EncodeToString(got) != want {
		t.Errorf("response %x, want %s", got, want)
	}
	if checkResponse(TypeSCCCN, "sesame", challenge, got) {
		t.Error("a response for SCCRP is taken in an SCCCN")
	}
	if checkResponse(TypeSCCRP, "sesame", challenge, got[:15]) {
		t.Error("fifteen octets are taken for sixteen")
	}
}

// full is a message of each type with every field in use.
func full() []Message {
	channel, tie := uint32(7), [8]byte{1, 2, 3}
	return []Message{
		&SCCRQ{0x100, "lac", FramingSync, 9, BearerAnalog, 16, []byte{1, 2}, &tie, 0x690, "Culvert"},
		&SCCRP{0x100, FramingAsync, "lns", 9, BearerDigital, 1, "v", 4, []byte{3}, make([]byte, 16)},
		&SCCCN{bytes.Repeat([]byte{5}, 16)},
		&StopCCN{9, Result{StopError, ErrorUnknownMandatory, "grüße"}},
		&HELLO{},
		&OCRQ{3, 4, 1200, 64000, BearerAnalog, FramingAsync, "123", "4"},
		&OCRP{3, &channel},
		&OCCN{56000, FramingSync, 33600, true},
		&ICRQ{3, 4, BearerDigital, &channel, "1", "2", "3"},
		&ICRP{3},
		&ICCN{56000, FramingSync, Proxy{[]byte{1}, []byte{2}, []byte{3}, ProxyAuthCHAP, "u",
			[]byte{4}, 5, "secret-response"}, "group", 33600, true},
		&CDN{Result{Code: CDNBusy}, 3, &Q931Cause{17, 0x45, "busy"},
			&DisconnectCause{3, 0xc021, 1, "bye"}},
		&WEN{CallErrors{1, 2, 3, 4, 5, 6}},
		&SLI{accm{0xffffffff, 0xa0000}},
	}
}

func TestMessagesThereAndBack(t *testing.T) {
	hiding := &Config{Secret: "sesame", HideAVPs: true, Rand: newSeeded(1)}
	for _, m := range full() {
		for _, cfg := range []*Config{{}, hiding} {
			b := appendMessage(nil, m, cfg)
			got, err := ParseMessage(b, cfg.Secret)
			if err != nil || !reflect.DeepEqual(got, m) {
				t.Errorf("%v: %+v, %v, want %+v", m.Type(), got, err, m)
			}
			hidden := 0
			for a := range AVPs(b) {
				if a.Hidden {
					hidden++
				}
				if a.Hidden && !attributes[a.Type].mayHide {
					t.Errorf("%v: %v is hidden", m.Type(), a.Type)
				}
				if a.Mandatory != attributes[a.Type].mandatory {
					t.Errorf("%v: M bit of %v is %v", m.Type(), a.Type, a.Mandatory)
				}
			}
			if m.Type() == TypeSCCRQ && hidden > 0 {
				t.Errorf("%d AVPs of an SCCRQ are hidden", hidden)
			}
			if cfg == hiding && m.Type() == TypeICCN && hidden == 0 {
				t.Error("nothing in an ICCN is hidden")
			}
		}
	}
}

func TestTooLongIsCut(t *testing.T) {
	long := strings.Repeat("\u00e9", 1000)
	m := &StopCCN{9, Result{StopError, ErrorVendorSpecific, long}}
	got, err := ParseMessage(AppendMessage(nil, m), "")
	if err != nil {
		t.Fatal(err)
	}
	if text := got.(*StopCCN).Result.Message; !strings.HasPrefix(long, text) || len(text) < 1000 {
		t.Errorf("message of %d octets: %.20q", len(text), text)
	}
	iccn := &ICCN{FramingType: FramingSync, Proxy: Proxy{LastSentConfReq: make([]byte, 1100)}}
	if _, err := ParseMessage(AppendMessage(nil, iccn), ""); err != nil {
		t.Errorf("an AVP that cannot be sent spoils its message: %v", err)
	}
}

// TestSecretsAreNotInText looks for secrets in everything that prints.
func TestSecretsAreNotInText(t *testing.T) {
	cfg := &Config{Secret: "tunnel-secret"}
	call := Call{Proxy: &Proxy{AuthType: ProxyAuthPAP, AuthName: "u", AuthResponse: "proxy-secret"}}
	iccn := &ICCN{TxConnectSpeed: 1, FramingType: 1, Proxy: *call.Proxy}
	datagram := appendControl(nil, 1, 2, 3, 4, AppendMessage(nil, iccn))
	if !bytes.Contains(datagram, []byte("proxy-secret")) {
		t.Fatal("the datagram does not hold the secret: nothing is tested")
	}
	var text strings.Builder
	text.WriteString(Describe(datagram))
	for _, v := range []any{*cfg, cfg, cfg.Secret, call, *call.Proxy, iccn, IncomingCall{Call: call},
		SessionUp{Call: call}, Send{Data: datagram}, PlaceCall{Call: call}, Respond(cfg, 1)} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			text.WriteString(sprintf(verb, v))
		}
	}
	for _, secret := range []string{"tunnel-secret", "proxy-secret",
		hex.EncodeToString([]byte("tunnel-secret")), hex.EncodeToString([]byte("proxy-secret"))} {
		if i := strings.Index(text.String(), secret); i >= 0 {
			t.Errorf("%q is in a text: %.80q", secret, text.String()[max(i-40, 0):])
		}
	}
}
