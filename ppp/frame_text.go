package ppp

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Describe is one line that says what a frame is. Passwords and responses are left out.
func Describe(b []byte) string {
	proto, info, err := ParseFrame(b)
	if err != nil {
		return fmt.Sprintf("malformed frame of %d bytes", len(b))
	}
	switch proto {
	case ProtocolLCP, ProtocolIPCP, ProtocolIPv6CP, ProtocolCCP,
		ProtocolPAP, ProtocolCHAP, ProtocolEAP:
	default:
		return fmt.Sprintf("%v %d bytes", proto, len(info))
	}
	p, err := parsePacket(info)
	if err != nil {
		return fmt.Sprintf("%v malformed packet of %d bytes", proto, len(info))
	}
	return fmt.Sprintf("%v %s id=%d%s", proto, codeText(proto, p.code), p.id, dataText(proto, p))
}

// Title is what a frame is in two words: its protocol and its code.
func Title(b []byte) string {
	proto, info, err := ParseFrame(b)
	switch {
	case err != nil:
		return "malformed frame"
	case len(info) == 0 || !IsControl(b):
		return proto.String()
	}
	return fmt.Sprintf("%v %s", proto, codeText(proto, code(info[0])))
}

var authCodeNames = map[Protocol][]string{
	ProtocolPAP:  {"", "Authenticate-Request", "Authenticate-Ack", "Authenticate-Nak"},
	ProtocolCHAP: {"", "Challenge", "Response", "Success", "Failure"},
	ProtocolEAP:  {"", "Request", "Response", "Success", "Failure"},
}

func codeText(proto Protocol, c code) string {
	if names, ok := authCodeNames[proto]; ok {
		return name(names, int(c), "code")
	}
	return c.String()
}

func dataText(proto Protocol, p packet) string {
	switch proto {
	case ProtocolPAP:
		return papText(p)
	case ProtocolCHAP:
		return chapText(p)
	case ProtocolEAP:
		return eapText(p)
	}
	switch p.code {
	case configureRequest, configureAck, configureNak, configureReject:
		return optionsText(proto, p.data)
	case terminateRequest, identification:
		return quoted(p.data)
	case echoRequest, echoReply, discardRequest:
		if len(p.data) >= 4 {
			return fmt.Sprintf(" magic=%#08x data=%d bytes", be32(p.data), len(p.data)-4)
		}
	case protocolReject:
		if len(p.data) >= 2 {
			rejected := Protocol(binary.BigEndian.Uint16(p.data))
			return fmt.Sprintf(" %v %d bytes", rejected, len(p.data)-2)
		}
	case codeReject:
		if len(p.data) >= 1 {
			return " " + codeText(proto, code(p.data[0]))
		}
	}
	return octets(p.data)
}

// octets is how many there are, if any.
func octets(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	return fmt.Sprintf(" %d bytes", len(b))
}

func papText(p packet) string {
	v, _, ok := cutCounted(p.data)
	switch {
	case p.code > papNak: // nobody knows what is in there
		return octets(p.data)
	case !ok:
		return " malformed"
	case p.code == papRequest:
		return " name=" + strconv.Quote(string(v)) + " password=********"
	}
	return quoted(v)
}

func chapText(p packet) string {
	switch p.code {
	case chapSuccess, chapFailure:
		return quoted(p.data)
	case chapChallenge, chapResponse:
	default: // MS-CHAP's new passwords, for one
		return octets(p.data)
	}
	v, name, ok := cutCounted(p.data)
	if !ok {
		return " malformed"
	}
	return fmt.Sprintf(" value=%d bytes name=%q", len(v), name)
}

func eapText(p packet) string {
	if len(p.data) == 0 || p.code != eapRequest && p.code != eapResponse {
		return ""
	}
	names := []string{"", "Identity", "Notification", "Nak", "MD5-Challenge"}
	s := " " + name(names, int(p.data[0]), "type")
	if p.data[0] == eapIdentity {
		s += quoted(p.data[1:])
	}
	return s
}

func optionsText(proto Protocol, b []byte) string {
	var s strings.Builder
	for o, err := range options(b) {
		if err != nil {
			s.WriteString(" malformed")
			break
		}
		fmt.Fprintf(&s, " <%s>", optionText(proto, o))
	}
	return s.String()
}

func optionText(proto Protocol, o option) string {
	switch proto {
	case ProtocolLCP:
		return lcpOptionText(o)
	case ProtocolIPCP:
		names := map[uint8]string{
			optAddress: "address", optPrimaryDNS: "dns1", optSecondaryDNS: "dns2",
			optPrimaryWINS: "wins1", optSecondaryWINS: "wins2",
		}
		if n, ok := names[o.kind]; ok && len(o.value) == 4 {
			return n + " " + netip.AddrFrom4(addr4(o.value)).String()
		}
	case ProtocolIPv6CP:
		if o.kind == optInterfaceID && len(o.value) == 8 {
			return fmt.Sprintf("interface-id %016x", binary.BigEndian.Uint64(o.value))
		}
	}
	return plainOptionText(o)
}

func lcpOptionText(o option) string {
	switch {
	case o.kind == optMRU && len(o.value) == 2:
		return fmt.Sprintf("mru %d", binary.BigEndian.Uint16(o.value))
	case o.kind == optACCM && len(o.value) == 4:
		return fmt.Sprintf("accm %08x", be32(o.value))
	case o.kind == optAuth && methodOf(o.value) != 0:
		return "auth " + methodOf(o.value).String()
	case o.kind == optMagic && len(o.value) == 4:
		return fmt.Sprintf("magic %08x", be32(o.value))
	case o.kind == optPFC && len(o.value) == 0:
		return "pfc"
	case o.kind == optACFC && len(o.value) == 0:
		return "acfc"
	}
	return plainOptionText(o)
}

func plainOptionText(o option) string {
	return strings.TrimSuffix(fmt.Sprintf("option %d %s", o.kind, hex.EncodeToString(o.value)), " ")
}
