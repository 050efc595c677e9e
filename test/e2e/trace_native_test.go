package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"culvert/api"
	"culvert/test/daemon"
	"culvert/test/lab"
)

// TestNativeTrace: a login that failed is explained from memory, and a capture has
// what was on the wire.
func TestNativeTrace(t *testing.T) {
	plane := tunPlane(t)
	lns, lac := newHosts(t)
	logFile := filepath.Join(t.TempDir(), "log")
	server := daemon.Start(t, lns, daemon.Options{
		Config:    lnsConfig(secretConfig(plainSecret), "system modify trace_flags=protocol log_level=error"),
		Dataplane: plane.name,
		Args:      []string{"--log", "file:" + logFile, "--log-format", "json"},
	})
	wire := lns.Capture(t, "eth0", "udp and udp[8] & 0x80 != 0")
	stop := server.Capture(&api.CaptureRequest{PeerIpaddr: "192.0.2.0/24"})
	client := daemon.Start(t, lac, daemon.Options{Dataplane: plane.name, Config: join(
		"tunnel profile modify profile_name=default secret=\"" + plainSecret + "\"",
	)})
	clientStop := client.Capture(&api.CaptureRequest{})
	client.Config("tunnel", "create", "tunnel_name=office", "dest_ipaddr=192.0.2.1")
	client.Config("session", "create", "tunnel_name=office", "session_name=vpn", "user_name=alice",
		"user_password=open barley")
	lab.Wait(t, upLimit, "the session to fail", func() error {
		if n := server.System().GetStatistics().GetSessionsCreated(); n == 0 || len(server.Sessions()) > 0 {
			return fmt.Errorf("%d sessions created, %v", n, server.Sessions())
		}
		return nil
	})
	client.Config("tunnel", "delete", "tunnel_name=office")
	server.WaitGone(goneLimit)
	client.WaitGone(goneLimit)
	seen := wire.Stop()
	sameAsOnTheWire(t, "lns", stop(), seen)
	sameAsOnTheWire(t, "lac", clientStop(), seen)

	var all strings.Builder
	id := uint32(0)
	for _, r := range client.Trace(&api.TraceRequest{TunnelName: "office"}) {
		fmt.Fprintf(&all, "%s %s\n", r.GetDirection(), r.GetText())
	}
	lines, err := os.ReadFile(logFile)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(lines)) {
		if _, rest, ok := strings.Cut(line, `"session":"`); ok && id == 0 {
			fmt.Sscanf(rest, "%d/", &id)
		}
	}
	for _, r := range server.Trace(&api.TraceRequest{TunnelId: id}) {
		fmt.Fprintf(&all, "%s %s\n", r.GetDirection(), r.GetText())
	}
	t.Logf("the log:\n%s", lines)
	t.Logf("the traces:\n%s", &all)
	for _, want := range []string{"local authentication failed", `user "alice" by MS-CHAPv2: refused: wrong password`} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("no trace says %q", want)
		}
	}
	if !strings.Contains(string(lines), `"msg":"ICRQ tunnel `) {
		t.Errorf("the log does not trace")
	}
	for _, secret := range []string{"open sesame", "open barley", plainSecret} {
		if strings.Contains(all.String()+string(lines), secret) {
			t.Errorf("a trace or the log has the secret %q", secret)
		}
	}
}

// sameAsOnTheWire compares the daemon's capture with tcpdump's.
func sameAsOnTheWire(t *testing.T, at string, ours []byte, wire string) {
	t.Helper()
	path := filepath.Join(t.ArtifactDir(), at+".pcapng")
	if err := os.WriteFile(path, ours, 0o600); err != nil {
		t.Fatal(err)
	}
	lab.CheckCapture(t, path)
	var seen [2]string
	for i, file := range []string{path, wire} {
		lines := strings.Split(lab.Tshark(t, file, "l2tp.type == 1", "-T", "fields", "-e", "ip.src", "-e", "ip.dst",
			"-e", "udp.srcport", "-e", "udp.dstport", "-e", "udp.length", "-e", "l2tp.Ns", "-e", "l2tp.Nr",
			"-e", "l2tp.avp.message_type", "-e", "l2tp.avp.assigned_session_id"), "\n")
		// Messages may cross: each end has its own order of what both said.
		slices.SortStableFunc(lines, func(a, b string) int {
			from, _, _ := strings.Cut(a, "\t")
			other, _, _ := strings.Cut(b, "\t")
			return strings.Compare(from, other)
		})
		seen[i] = strings.Join(lines, "\n")
	}
	if seen[0] != seen[1] || seen[0] == "" {
		t.Errorf("the capture at the %s has\n%s\n\nthe wire had\n%s", at, seen[0], seen[1])
	}
}
