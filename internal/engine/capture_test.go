package engine

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"culvert/internal/dataplane"
	"culvert/internal/trace"
	"culvert/test/lab"
)

// capture returns a file of what a filter lets pass at a host while f runs.
func (h *host) capture(filter trace.Filter, f func()) (file []byte, packets int) {
	h.t.Helper()
	c, err := h.trace.NewCapture(filter)
	if err != nil {
		h.t.Fatal(err)
	}
	defer c.Close()
	f()
	var w trace.Writer
	file = w.Header("test")
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	for p, err := c.Next(ctx); err == nil; p, err = c.Next(ctx) {
		file = append(file, w.Packet(p)...)
		packets++
	}
	return file, packets
}

// tshark prints fields of a capture's packets, one a line. Checksums are verified.
func tshark(t *testing.T, file []byte, fields ...string) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "capture.pcapng")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	lab.RequireProgram(t, "tshark")
	args := []string{"-n", "-r", path, "-T", "fields", "-E", "separator=|",
		"-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	out, err := exec.Command("tshark", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("tshark: %v\n%s", err, out)
	}
	var lines []string
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "Running as user") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// TestCapture: what tshark makes of a session's whole life, at both ends.
func TestCapture(t *testing.T) {
	for _, family := range []struct{ name, lns, lac string }{
		{"IPv4", "192.0.2.1", "192.0.2.2"},
		{"IPv6", "2001:db8::1", "2001:db8::2"},
	} {
		t.Run(family.name, func(t *testing.T) {
			var file []byte
			var packets int
			synctest.Test(t, func(t *testing.T) {
				w := dataplane.NewWire()
				lns := newHost(t, w, netip.MustParseAddr(family.lns), lnsConfig)
				lac := newHost(t, w, netip.MustParseAddr(family.lac), "")
				file, packets = lns.capture(trace.Filter{}, func() {
					lac.declare(strings.Replace(lacConfig, "192.0.2.1", family.lns, 1))
					pass(5 * time.Minute) // for a HELLO
					lac.stop()
					pass(time.Minute)
				})
				lns.stop()
			})
			if packets < 10 {
				t.Fatalf("%d packets were captured", packets)
			}
			checkCapture(t, file, packets, family.lns)
		})
	}
}

// checkCapture looks at every packet as tshark sees it.
func checkCapture(t *testing.T, file []byte, packets int, local string) {
	t.Helper()
	lines := tshark(t, file, "ip.src", "ipv6.src", "_ws.malformed", "_ws.expert.severity",
		"udp.checksum.status", "ip.checksum.status", "frame.packet_flags_direction",
		"l2tp.length", "udp.length", "l2tp.avp.message_type")
	if len(lines) != packets {
		t.Errorf("tshark reads %d packets of %d", len(lines), packets)
	}
	var types []string
	for _, line := range lines {
		f := strings.Split(line, "|")
		if len(f) < 9 {
			t.Fatalf("tshark says %q", line)
		}
		direction := "1"
		if f[0]+f[1] == local {
			direction = "2"
		}
		var length, udp int
		fmt.Sscan(f[7], &length)
		fmt.Sscan(f[8], &udp)
		if f[2] != "" || strings.Contains(f[3], "8388608") || f[4] != "1" || f[5] != "1" && f[1] == "" ||
			f[6] != direction && !strings.HasSuffix(f[6], direction) || udp != length+8 {
			t.Errorf("malformed, a bad checksum, length or direction: %q", line)
		}
		if len(f) > 9 {
			types = append(types, f[9])
		}
	}
	types = slices.DeleteFunc(types, func(s string) bool { return s == "" })
	got := strings.Join(slices.Compact(types), " ")
	// SCCRQ SCCRP SCCCN ICRQ ICRP ICCN, HELLOs, CDN StopCCN.
	if !strings.HasPrefix(got, "1 2 3 10 11 12 6") || !strings.HasSuffix(got, "6 14 4") {
		t.Errorf("the message types are %s, want 1 2 3 10 11 12 6 14 4", got)
	}
	wantNoSecrets(t, "the capture", string(file))
	if n := tcpdump(t, file); n != packets {
		t.Errorf("tcpdump reads %d L2TP messages of %d", n, packets)
	}
}

// tcpdump counts the packets that it takes for L2TP.
func tcpdump(t *testing.T, file []byte) (n int) {
	t.Helper()
	lab.RequireProgram(t, "tcpdump")
	cmd := exec.Command("tcpdump", "-n", "-r", "-")
	cmd.Stdin = bytes.NewReader(file)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tcpdump: %v", err)
	}
	return strings.Count(string(out), "l2tp:[TLS]")
}

// TestCaptureOfOne: filters hold in the engine too, and what belongs to no tunnel
// is seen by those who want everything.
func TestCaptureOfOne(t *testing.T) {
	text := strings.Replace(lacConfig, "tunnel create",
		"tunnel create tunnel_name=other dest_ipaddr=192.0.2.1\ntunnel create", 1)
	var all, office, nobody []byte
	synctest.Test(t, func(t *testing.T) {
		w := dataplane.NewWire()
		lns, lac := newHost(t, w, lnsAddr, lnsConfig), newHost(t, w, lacAddr, "")
		all, _ = lns.capture(trace.Filter{}, func() {
			nobody, _ = lac.capture(trace.Filter{Peer: netip.MustParsePrefix("198.51.100.0/24")}, func() {
				office, _ = lac.capture(trace.Filter{TunnelName: "office"}, func() {
					lac.declare(text)
					pass(time.Second)
				})
				lns.DatagramReceived(dataplane.Datagram{Local: netip.AddrPortFrom(lnsAddr, 1701),
					Peer: netip.MustParseAddrPort("203.0.113.9:4321"),
					Data: []byte("\xc8\x02\x00\x0c\xff\xff\x00\x00\x00\x00\x00\x00")})
				pass(time.Second)
			})
		})
		lac.stop()
		lns.stop()
	})
	count := func(file []byte, message string) (n int) {
		for _, line := range tshark(t, file, "l2tp.avp.message_type", "ip.src") {
			if strings.HasPrefix(line, message+"|") {
				n++
			}
		}
		return n
	}
	if n := count(office, "1"); n != 1 {
		t.Errorf("%d SCCRQs of tunnel office, want 1", n)
	}
	if n := count(all, "1"); n != 2 {
		t.Errorf("%d SCCRQs of all tunnels, want 2", n)
	}
	if n := len(tshark(t, nobody, "ip.src")); n != 0 {
		t.Errorf("%d packets with a peer that there is not, want 0", n)
	}
	if got := strings.Join(tshark(t, all, "ip.src"), " "); !strings.Contains(got, "203.0.113.9") {
		t.Errorf("the stray message is not there: %s", got)
	}
}
