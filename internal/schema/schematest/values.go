package schematest

import (
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"culvert/api"
	"culvert/internal/schema"
)

// Companions are what a parameter cannot be without, or not be against.
var Companions = map[string]string{
	"netmask":           "peer_ipaddr=10.0.0.0",
	"hide_avps":         "secret=x",
	"auth_mode":         "secret=x",
	"persist_delay":     "persist_max_delay=86400",
	"persist_max_delay": "persist_delay=1",
}

// NotCreated are values that a parameter has, but not when a command creates the object.
var NotCreated = map[string][]string{
	"session session_type": {"laoc", "lnic"},
}

// formValues are values of each format; the first two differ.
var formValues = map[api.Format][]string{
	api.Format_FORMAT_ADDRESS:       {"192.0.2.1", "2001:db8::1"},
	api.Format_FORMAT_ADDRESS_V4:    {"192.0.2.1", "192.0.2.2"},
	api.Format_FORMAT_ADDRESS_V6:    {"2001:db8::1", "2001:db8::2"},
	api.Format_FORMAT_HOST:          {"lns.example.net", "192.0.2.1"},
	api.Format_FORMAT_PREFIX:        {"192.0.2.1", "2001:db8::1"},
	api.Format_FORMAT_NETMASK:       {"24", "255.255.0.0"},
	api.Format_FORMAT_ADDRESS_RANGE: {"10.0.0.0/24", "10.1.0.1-10.1.0.9"},
	api.Format_FORMAT_INTERFACE:     {"a%s", "b%t-%s"},
	api.Format_FORMAT_SPEED:         {"64000", "1:2"},
	api.Format_FORMAT_NAME:          {"name", "another name/#1 \"x\""},
	api.Format_FORMAT_PATH:          {"/etc/a b", "/x#y;z"},
	api.Format_FORMAT_ADDRESS_PORT:  {"192.0.2.1:443", "[2001:db8::1]:443"},
}

// wrongValues are wrong for each format.
var wrongValues = map[api.Format]string{
	api.Format_FORMAT_ADDRESS: "1.2.3", api.Format_FORMAT_ADDRESS_V4: "::1",
	api.Format_FORMAT_ADDRESS_V6: "1.2.3.4", api.Format_FORMAT_HOST: "a b",
	api.Format_FORMAT_PREFIX: "1.2.3.4/40", api.Format_FORMAT_NETMASK: "255.0.255.0",
	api.Format_FORMAT_ADDRESS_RANGE: "10.0.0.9-10.0.0.1", api.Format_FORMAT_INTERFACE: "a/b",
	api.Format_FORMAT_SPEED: "fast", api.Format_FORMAT_NAME: "a\nb",
	api.Format_FORMAT_PATH: "relative", api.Format_FORMAT_ADDRESS_PORT: "192.0.2.1",
}

// awkward are texts that are hard to write.
var awkward = []string{"plain", `a "b" 'c'`, "# ; \\ =", "\nlines\r\nof text\n", "жук ☂", "yes"}

// Values returns values that a parameter can have, made from what the schema
// says: the ends of its range, its words, its format.
func Values(p *schema.Param) (all []string) {
	kind := p.Type()
	switch {
	case p.RefersTo != "":
		return []string{"default"}
	case p.IsTrace():
		return []string{"none", "all", "protocol,fsm", "1024"}
	case kind == protoreflect.BoolKind || kind == protoreflect.EnumKind:
		return p.Words()
	case kind == protoreflect.Uint32Kind:
		last := p.Max
		if last == 0 {
			last = 1<<32 - 1
		}
		all = append(p.Words(), strconv.FormatInt(p.Min, 10), strconv.FormatInt(last, 10))
		return append(all, strconv.FormatInt((p.Min+last)/2, 10))
	case kind == protoreflect.BytesKind:
		return []string{"0x", "0x00ff7f", "0x" + strings.Repeat("ab", int(p.Max))}
	case p.Format != 0:
		return formValues[p.Format]
	}
	for _, s := range append([]string{strings.Repeat("x", max(1, int(p.Min)))}, awkward...) {
		if p.Max == 0 || int64(len(s)) <= p.Max {
			all = append(all, s)
		}
	}
	return all
}

// Wrong returns values that a parameter cannot have.
func Wrong(p *schema.Param) (all []string) {
	kind := p.Type()
	switch {
	case p.RefersTo != "":
		return []string{"missing"}
	case p.IsTrace():
		return []string{"nonsense", "0x800", "protocol,nonsense"}
	case kind == protoreflect.BoolKind || kind == protoreflect.EnumKind:
		return []string{"nonsense", ""}
	case kind == protoreflect.Uint32Kind:
		if p.Min > 0 {
			all = append(all, strconv.FormatInt(p.Min-1, 10))
		}
		if p.Max > 0 {
			all = append(all, strconv.FormatInt(p.Max+1, 10))
		}
		return append(all, "many", "-1", "4294967296", "")
	case kind == protoreflect.BytesKind:
		return []string{"0x1", "xy", strings.Repeat("ab", int(p.Max)+1)}
	case p.Format != 0:
		return []string{wrongValues[p.Format]}
	}
	if p.Max > 0 {
		all = append(all, strings.Repeat("x", int(p.Max)+1))
	}
	return append(all, "a\x00b")
}

// Needed gives an object what it cannot be without, besides its own name.
func Needed(m proto.Message) proto.Message {
	switch m := m.(type) {
	case *api.User:
		m.UserPassword = new("password")
	case *api.Pool:
		m.Addresses = []string{"10.9.0.0/24"}
	case *api.Tunnel:
		m.DestIpaddr = new("peer.example.net")
	}
	return m
}
