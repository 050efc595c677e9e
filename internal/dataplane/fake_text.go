package dataplane

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// String returns all that the fake holds as text, in an order that does not
// change, for comparison with what a test expects.
func (f *Fake) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var b strings.Builder
	b.WriteString("fake")
	for _, a := range f.addrs {
		fmt.Fprintf(&b, " %s", a)
	}
	b.WriteString("\n")
	for _, k := range slices.SortedFunc(maps.Keys(f.sockets), compareSockets) {
		if !k.peer.IsValid() {
			fmt.Fprintf(&b, "listen %s%s\n", k.local, keptText(f.sockets[k].kept > 0))
		}
	}
	for _, t := range f.sorted() {
		t.text(&b)
	}
	return b.String()
}

// keptText marks what is not adopted yet.
func keptText(kept bool) string {
	if kept {
		return " kept"
	}
	return ""
}

func compareSockets(a, b sockKey) int {
	if c := a.local.Compare(b.local); c != 0 {
		return c
	}
	return a.peer.Compare(b.peer)
}

// text writes the tunnel and its sessions. fake.mu is held.
func (t *fakeTunnel) text(b *strings.Builder) {
	fmt.Fprintf(b, "tunnel %d %s > %s", t.spec.ID, t.spec.Local, t.spec.Peer)
	if t.attached {
		fmt.Fprintf(b, " peer %d", t.peer)
	}
	if t.spec.DontFragment {
		b.WriteString(" dont-fragment")
	}
	if t.spec.NoUDPChecksum {
		b.WriteString(" no-checksum")
	}
	b.WriteString(keptText(t.kept) + "\n")
	for _, s := range t.sorted() {
		s.text(b)
	}
}

func (s *fakeSession) text(b *strings.Builder) {
	fmt.Fprintf(b, "  session %d peer %d", s.id, s.peer)
	for _, flag := range []struct {
		set  bool
		name string
	}{
		{s.order.lns, "lns"},
		{s.order.send, "send-sequence"},
		{s.order.require, "require-sequence"},
		{s.raw, "raw"},
	} {
		if flag.set {
			b.WriteString(" " + flag.name)
		}
	}
	if s.reorder > 0 {
		fmt.Fprintf(b, " reorder %dms", s.reorder)
	}
	b.WriteString(keptText(s.kept) + "\n")
	if s.link != nil {
		s.link.text(b)
	}
}

func (l *LinkSpec) text(b *strings.Builder) {
	fmt.Fprintf(b, "    link %s mtu %d mru %d\n", l.Name, l.MTU, l.MRU)
	if l.IPv4.isOpen() {
		fmt.Fprintf(b, "      ipv4 %s > %s\n", l.IPv4.Local, l.IPv4.Peer)
	}
	if l.IPv6.isOpen() {
		fmt.Fprintf(b, "      ipv6 %s > %s\n", l.IPv6.Local, l.IPv6.Peer)
	}
	for _, r := range l.Routes {
		fmt.Fprintf(b, "      route %s\n", r)
	}
	if l.DefaultRoute {
		b.WriteString("      route default\n")
	}
	if a := l.proxied(); a.IsValid() {
		fmt.Fprintf(b, "      proxy-arp %s\n", a)
	}
}
