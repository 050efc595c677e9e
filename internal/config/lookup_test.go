package config_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"culvert/internal/config"
)

// A names stands in for a name server, and counts what it is asked.
type names struct {
	known map[string][]netip.Addr
	asked []string
}

func (n *names) lookup(host string) ([]netip.Addr, error) {
	n.asked = append(n.asked, host)
	if addrs := n.known[host]; addrs != nil {
		return addrs, nil
	}
	return nil, errors.New("no such host")
}

func servers() *names {
	addr := netip.MustParseAddr
	return &names{known: map[string][]netip.Addr{
		"lns.example.net": {addr("2001:db8::1"), addr("192.0.2.9"), addr("192.0.2.1")},
		"six.example.net": {addr("2001:db8::6")},
		"dns.example.net": {addr("::ffff:192.0.2.53")},
	}}
}

const named = "tunnel profile create profile_name=p src_ipaddr=lns.example.net # by name\n" +
	"tunnel profile create profile_name=six src_ipaddr=six.example.net\n" +
	"peer profile create profile_name=q peer_ipaddr=lns.example.net\n" +
	"ppp profile create profile_name=r dns_ipaddr_pri=dns.example.net\n" +
	"tunnel create tunnel_name=t dest_ipaddr=peer.example.net\n"

// In a file the name of a host may stand where an address does, as in openl2tp's. It is
// looked up once, but not where a name is what is expected.
func TestHostNamesInFiles(t *testing.T) {
	n := servers()
	s := config.NewStoreWithLookup("machine", n.lookup)
	if err := s.Load("x", []byte(named)); err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer("src_ipaddr=lns.example.net # by name", "src_ipaddr=192.0.2.1",
		"src_ipaddr=six.example.net", "src_ipaddr=2001:db8::6", "peer_ipaddr=lns.example.net",
		"peer_ipaddr=192.0.2.1", "dns.example.net", "192.0.2.53").Replace(named)
	other := load(t, want)
	if got := config.Format(s.Snapshot()); string(got) != string(config.Format(other.Snapshot())) {
		t.Errorf("got\n%s", got)
	}
	if got := strings.Join(n.asked, " "); got != "lns.example.net six.example.net dns.example.net" {
		t.Errorf("asked for %s", got)
	}
	const warning = `tunnel profile "p": src_ipaddr=lns.example.net: it counts as 192.0.2.1, ` +
		`which the name stood for when this was read`
	if got := s.Snapshot().Warnings(); len(got) != 4 || got[0] != warning {
		t.Errorf("warnings\n%s", strings.Join(got, "\n"))
	}
}

// A statement with a name stays as it is when it is saved, as long as the name stands
// for the same address.
func TestRewriteKeepsHostNames(t *testing.T) {
	n := servers()
	s := config.NewStoreWithLookup("machine", n.lookup)
	if err := s.Load("x", []byte(named)); err != nil {
		t.Fatal(err)
	}
	if text, _ := config.Rewrite([]byte(named), s.Snapshot()); string(text) != named {
		t.Errorf("got\n%s", text)
	}
	n.known["lns.example.net"] = []netip.Addr{netip.MustParseAddr("192.0.2.2")}
	text, report := config.Rewrite([]byte(named), s.Snapshot())
	if got := string(text); report.Anew != "" ||
		!strings.Contains(got, "src_ipaddr=192.0.2.1 # by name\n") {
		t.Errorf("%q, got\n%s", report.Anew, got)
	}
}

// What is no host is a fault with its place; commands and stores without a lookup take
// only addresses.
func TestHostNamesThatAreRefused(t *testing.T) {
	const start = "tunnel profile create profile_name=p \\\n\tsrc_ipaddr="
	for value, want := range map[string]string{
		"no.example.net": "x:2:13: src_ipaddr=no.example.net: expected an IP address: " +
			"looking up the name: no such host",
		"lns":       "x:2:13: src_ipaddr=lns: expected an IP address",
		"192.0.2":   "x:2:13: src_ipaddr=192.0.2: expected an IP address",
		"a_b.c/d.e": "x:2:13: src_ipaddr=a_b.c/d.e: expected an IP address",
	} {
		err := config.NewStoreWithLookup("machine", servers().lookup).Load("x", []byte(start+value))
		if err == nil || err.Error() != want {
			t.Errorf("%s\n got %v\nwant %s", value, err, want)
		}
	}
	if err := config.NewStore("machine").Load("x", []byte(start+"lns.example.net")); err == nil {
		t.Error("a store without a lookup takes the name of a host")
	}
	err := config.NewStoreWithLookup("machine", servers().lookup).Load("x",
		[]byte("ppp profile create profile_name=r dns_ipaddr_pri=six.example.net"))
	if err == nil || !strings.HasSuffix(err.Error(), "expected an IPv4 address: the name stands for none") {
		t.Errorf("an IPv6 host for an IPv4 address: %v", err)
	}
}

// Without a name server a file with many names is given up soon.
func TestHostNamesAreGivenUp(t *testing.T) {
	n := servers()
	var text strings.Builder
	for _, c := range "abcdefgh" {
		text.WriteString("tunnel profile create profile_name=" + string(c) + " src_ipaddr=" +
			string(c) + ".example.org\n")
	}
	err := config.NewStoreWithLookup("machine", n.lookup).Load("x", []byte(text.String()))
	if faults := config.Faults("x", err); len(faults) != 8 || len(n.asked) != 3 {
		t.Errorf("%d faults, asked for %v", len(faults), n.asked)
	}
}
