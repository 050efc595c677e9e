package kernel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"testing"
	"time"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// The bytes here are those of a little-endian machine.
func needLittleEndian(t *testing.T) {
	t.Helper()
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("golden bytes are little-endian")
	}
}

func TestAttributeBytes(t *testing.T) {
	needLittleEndian(t)
	for _, c := range []struct {
		name string
		f    func(*netlink.AttributeEncoder)
		want []byte
	}{
		{"tunnel",
			func(ae *netlink.AttributeEncoder) { TunnelSpec{ID: 0x0102, PeerID: 0x0304}.encode(ae, 7) },
			[]byte{
				8, 0, 9, 0, 2, 1, 0, 0, // tunnel
				8, 0, 10, 0, 4, 3, 0, 0, // peer's
				5, 0, 7, 0, 2, 0, 0, 0, // version
				6, 0, 2, 0, 0, 0, 0, 0, // UDP
				8, 0, 23, 0, 7, 0, 0, 0, // descriptor
			}},
		{"session", SessionSpec{
			Tunnel: 1, Session: 0xfffe, PeerSession: 3, LNS: true, RequireSequence: true,
			ReorderTimeout: 300 * time.Millisecond,
		}.encode,
			[]byte{
				8, 0, 9, 0, 1, 0, 0, 0, // tunnel
				8, 0, 11, 0, 0xfe, 0xff, 0, 0, // session
				8, 0, 12, 0, 3, 0, 0, 0, // peer's
				6, 0, 1, 0, 7, 0, 0, 0, // PPP
				5, 0, 20, 0, 1, 0, 0, 0, // LNS
				5, 0, 19, 0, 0, 0, 0, 0, // send numbers
				5, 0, 18, 0, 1, 0, 0, 0, // require numbers
				12, 0, 22, 0, 44, 1, 0, 0, 0, 0, 0, 0, // milliseconds
			}},
	} {
		if got := attributes(c.f); !bytes.Equal(got, c.want) {
			t.Errorf("%s:\n got %v\nwant %v", c.name, got, c.want)
		}
	}
}

func TestMessageBytes(t *testing.T) {
	needLittleEndian(t)
	v4, v4peer := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	v6, v6peer := netip.MustParseAddr("fe80::1"), netip.MustParseAddr("fe80::2")
	for _, c := range []struct {
		name string
		m    netlink.Message
		typ  int
		want []byte
	}{
		{"new ppp link", newPPPLink("l1", 1400, 5), unix.RTM_NEWLINK, []byte{
			0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // ifinfomsg
			7, 0, 3, 0, 'l', '1', 0, 0, // name
			8, 0, 4, 0, 120, 5, 0, 0, // MTU
			24, 0, 18, 128, // link info
			8, 0, 1, 0, 'p', 'p', 'p', 0, // kind
			12, 0, 2, 128, // data
			8, 0, 1, 0, 5, 0, 0, 0, // descriptor
		}},
		{"up", SetUp(9, true).m, unix.RTM_NEWLINK, []byte{
			0, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0,
		}},
		{"no link-local", NoLinkLocal(9).m, unix.RTM_NEWLINK, []byte{
			0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
			16, 0, 26, 128, 12, 0, 10, 128, 5, 0, 8, 0, 1, 0, 0, 0,
		}},
		{"add address", AddAddress(9, v4, v4peer).m, unix.RTM_NEWADDR, []byte{
			2, 32, 2, 0, 9, 0, 0, 0,
			8, 0, 2, 0, 10, 0, 0, 1, // local
			8, 0, 1, 0, 10, 0, 0, 2, // peer
		}},
		{"delete IPv6 address", DeleteAddress(9, v6, v6peer).m, unix.RTM_DELADDR, []byte{
			10, 128, 2, 253, 9, 0, 0, 0,
			20, 0, 2, 0, 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
			20, 0, 1, 0, 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2,
		}},
		{"add host address", AddHostAddress(v4).m, unix.RTM_NEWADDR, []byte{
			2, 32, 2, 0, 1, 0, 0, 0, // on lo
			8, 0, 2, 0, 10, 0, 0, 1, // local
			8, 0, 1, 0, 10, 0, 0, 1, // its peer: itself
			12, 0, 3, 0, 'l', 'o', ':', 'l', '2', 't', 'p', 0, // label
		}},
		{"delete host address", DeleteHostAddress(v4).m, unix.RTM_DELADDR, []byte{
			2, 32, 2, 0, 1, 0, 0, 0,
			8, 0, 2, 0, 10, 0, 0, 1,
			8, 0, 1, 0, 10, 0, 0, 1,
			12, 0, 3, 0, 'l', 'o', ':', 'l', '2', 't', 'p', 0, // and no other one
		}},
		{"route with a source", AddRoute(Route{
			Prefix: netip.MustParsePrefix("10.0.0.2/32"), Index: 9, Source: v4,
		}).m,
			unix.RTM_NEWROUTE, []byte{
				2, 32, 0, 0, 254, 76, 253, 1, 0, 0, 0, 0,
				8, 0, 1, 0, 10, 0, 0, 2, // destination
				8, 0, 4, 0, 9, 0, 0, 0, // interface
				8, 0, 7, 0, 10, 0, 0, 1, // source
			}},
		{"to a group", setGroup(9, removedGroup), unix.RTM_NEWLINK, []byte{
			0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
			8, 0, 27, 0, 'P', 'T', '2', 'L',
		}},
		{"delete a group", deleteGroup(removedGroup), unix.RTM_DELLINK, []byte{
			0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
			8, 0, 27, 0, 'P', 'T', '2', 'L',
		}},
		{"add route", AddRoute(Route{Prefix: netip.MustParsePrefix("10.1.2.3/16"), Index: 9}).m,
			unix.RTM_NEWROUTE, []byte{
				2, 16, 0, 0, 254, 76, 253, 1, 0, 0, 0, 0,
				8, 0, 1, 0, 10, 1, 0, 0, // destination
				8, 0, 4, 0, 9, 0, 0, 0, // interface
			}},
		{"delete route by a gateway", DeleteRoute(Route{
			Prefix: netip.MustParsePrefix("10.1.0.0/16"), Index: 9, Gateway: v4, Metric: 5,
		}).m,
			unix.RTM_DELROUTE, []byte{
				2, 16, 0, 0, 254, 76, 0, 1, 0, 0, 0, 0,
				8, 0, 1, 0, 10, 1, 0, 0, // destination
				8, 0, 4, 0, 9, 0, 0, 0, // interface
				8, 0, 5, 0, 10, 0, 0, 1, // gateway
				8, 0, 6, 0, 5, 0, 0, 0, // metric
			}},
		{"add proxy", AddProxy(9, v4).m, unix.RTM_NEWNEIGH, []byte{
			2, 0, 0, 0, 9, 0, 0, 0, 128, 0, 8, 1,
			8, 0, 1, 0, 10, 0, 0, 1, // destination
			5, 0, 12, 0, 76, 0, 0, 0, // protocol
		}},
		{"delete proxy", DeleteProxy(9, v4).m, unix.RTM_DELNEIGH, []byte{
			2, 0, 0, 0, 9, 0, 0, 0, 128, 0, 8, 1,
			8, 0, 1, 0, 10, 0, 0, 1,
			5, 0, 12, 0, 76, 0, 0, 0,
		}},
		{"counters", statsRequest(9), unix.RTM_GETSTATS, []byte{
			0, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0,
		}},
	} {
		if !bytes.Equal(c.m.Data, c.want) || c.m.Header.Type != netlink.HeaderType(c.typ) {
			t.Errorf("%s:\n got %v %v\nwant %v %v", c.name, c.m.Header.Type, c.m.Data, c.typ, c.want)
		}
	}
}

func TestChannelAddressBytes(t *testing.T) {
	needLittleEndian(t)
	s := ChannelSpec{Tunnel: 1, PeerTunnel: 2, Session: 0x0304, PeerSession: 5}
	begin := []byte{
		24, 0, // AF_PPPOX
		1, 0, 0, 0, // L2TP
		0, 0, 0, 0, // pid
		255, 255, 255, 255, // descriptor
	}
	ids := []byte{1, 0, 4, 3, 2, 0, 5, 0}
	for peer, want := range map[string][]byte{
		"192.0.2.1:1701": bytes.Join([][]byte{begin,
			{2, 0, 6, 165, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0}, ids}, nil),
		"[2001:db8::1]:1701": bytes.Join([][]byte{begin, ids,
			{10, 0, 6, 165, 0, 0, 0, 0},
			{0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, {0, 0, 0, 0}}, nil),
	} {
		s.Peer = netip.MustParseAddrPort(peer)
		if got := s.sockaddr(); !bytes.Equal(got, want) {
			t.Errorf("%s:\n got %v\nwant %v", peer, got, want)
		}
	}
}

func TestParseSession(t *testing.T) {
	want := SessionInfo{
		Tunnel: 1, Session: 2, PeerSession: 3, Pseudowire: PseudowirePPP, LNS: true,
		SendSequence: true, ReorderTimeout: time.Second, Interface: "l1-2",
		Stats: Stats{TxPackets: 10, RxBytes: 1 << 40, RxSequenceDiscards: 4, RxOutOfSequence: 5},
	}
	spec := SessionSpec{
		Tunnel: 1, Session: 2, PeerSession: 3, LNS: true, SendSequence: true,
		ReorderTimeout: time.Second,
	}
	got, err := parseSession(attributes(func(ae *netlink.AttributeEncoder) {
		spec.encode(ae)
		ae.String(attrName, "l1-2")
		ae.Nested(attrStats, func(ae *netlink.AttributeEncoder) error {
			ae.Uint64(attrTxPackets, 10)
			ae.Uint64(attrRxBytes, 1<<40)
			ae.Uint64(attrRxDiscards, 4)
			ae.Uint64(attrRxOutOfSeq, 5)
			ae.Uint64(99, 1)
			return nil
		})
	}))
	if err != nil || got != want {
		t.Errorf("parseSession:\n got %+v, %v\nwant %+v", got, err, want)
	}
}

func TestParseDeletion(t *testing.T) {
	message := func(cmd uint8, tunnel, session uint32) genetlink.Message {
		return genetlink.Message{
			Header: genetlink.Header{Command: cmd},
			Data: attributes(func(ae *netlink.AttributeEncoder) {
				ae.Uint32(attrTunnel, tunnel)
				if session != 0 {
					ae.Uint32(attrSession, session)
				}
			}),
		}
	}
	for _, c := range []struct {
		m    genetlink.Message
		want Deletion
		ok   bool
	}{
		{message(cmdTunnelDelete, 7, 0), Deletion{Tunnel: 7}, true},
		{message(cmdSessionDelete, 7, 8), Deletion{7, 8}, true},
		{message(cmdSessionDelete, 7, 0), Deletion{}, false},
		{message(cmdSessionCreate, 7, 8), Deletion{}, false},
	} {
		got, ok := parseDeletion(c.m)
		if ok != c.ok || ok && got != c.want {
			t.Errorf("parseDeletion(%+v) = %+v, %v, want %+v, %v", c.m, got, ok, c.want, c.ok)
		}
	}
}

func TestOpErrorIs(t *testing.T) {
	for errno, want := range map[unix.Errno]error{
		unix.ENOENT: fs.ErrNotExist, unix.ENODEV: fs.ErrNotExist, unix.ESRCH: fs.ErrNotExist,
		unix.ENXIO: fs.ErrNotExist, unix.EEXIST: fs.ErrExist, unix.EPERM: fs.ErrPermission,
		unix.EACCES: fs.ErrPermission, unix.EOPNOTSUPP: errors.ErrUnsupported,
		unix.EAFNOSUPPORT: errors.ErrUnsupported, unix.EPROTONOSUPPORT: errors.ErrUnsupported,
		unix.EBUSY: unix.EBUSY,
	} {
		err := opError("do it", &netlink.OpError{Op: "receive", Err: errno, Message: "because"})
		if !errors.Is(err, want) || errors.Is(err, fs.ErrClosed) {
			t.Errorf("%v is not %v", err, want)
		}
		if want := fmt.Sprintf("do it: %v (because)", errno.Error()); err.Error() != want {
			t.Errorf("text %q, want %q", err, want)
		}
	}
	if opError("x", nil) != nil {
		t.Error("no error became one")
	}
}

func TestMissingError(t *testing.T) {
	rights := &MissingError{Finding{Name: needRights}}
	module := &MissingError{Finding{needDevice, false, "open /dev/ppp: no such device", "load it"}}
	if !errors.Is(rights, fs.ErrPermission) || errors.Is(rights, errors.ErrUnsupported) ||
		!errors.Is(module, errors.ErrUnsupported) || errors.Is(module, fs.ErrPermission) {
		t.Error("lack of rights and lack of a module are not told apart")
	}
	const want = "/dev/ppp: open /dev/ppp: no such device; load it"
	if module.Error() != want {
		t.Errorf("text %q, want %q", module, want)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(attributes(SessionSpec{Tunnel: 1, Session: 2}.encode))
	f.Add(newPPPLink("l1", 1400, 5).Data)
	f.Add(AddRoute(Route{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Index: 9}).m.Data)
	f.Add(AddProxy(9, netip.MustParseAddr("10.0.0.1")).m.Data)
	f.Add(AddAddress(9, netip.MustParseAddr("fe80::1"), netip.MustParseAddr("fe80::2")).m.Data)
	f.Add(AddHostAddress(netip.MustParseAddr("10.0.0.1")).m.Data)
	f.Fuzz(func(t *testing.T, b []byte) {
		parseTunnel(b)
		parseSession(b)
		parseDeletion(genetlink.Message{Header: genetlink.Header{Command: cmdTunnelDelete}, Data: b})
		parseLink(b)
		parseRoute(b)
		parseHostAddress(b)
		parseLinkStats(b)
		destination(b)
		parseSubnet(b)
		parseAddress(b)
		parseProxy(b)
	})
}
