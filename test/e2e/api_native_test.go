package e2e

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"culvert/test/lab"
)

// TestNativeAPI watches a session by curl as it comes and goes, reads the metrics, and
// shows that other users are refused.
func TestNativeAPI(t *testing.T) {
	lab.RequireTUN(t)
	lnsNS, lacNS := newHosts(t)
	lns := newSite(t, lnsNS, "tun", lnsConfig("system modify api_group=games api_readers_group=users"))
	watch := lnsNS.Command(t.Context(), "curl", "-sN", "--max-time", "60", "--unix-socket", lns.Socket,
		"http://culvert/events?replay=true")
	stream, err := watch.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	defer watch.Wait()
	defer watch.Process.Kill()
	lines := bufio.NewScanner(stream)

	lac := newSite(t, lacNS, "tun", join(
		"tunnel create tunnel_name=office dest_ipaddr="+lnsAddr.String(),
		"session create tunnel_name=office session_name=s user_name=alice user_password=\"open sesame\""))
	seen := readEvents(t, lines, "EVENT_TYPE_PPP_UP")
	want := []string{"TUNNEL_CREATED", "TUNNEL_UP", "SESSION_CREATED", "SESSION_UP", "PPP_UP"}
	if !slices.Equal(seen, want) {
		t.Errorf("events are %q, want %q", seen, want)
	}
	metrics := lnsNS.Run("curl", "-s", "--unix-socket", lns.Socket, "http://culvert/metrics")
	for _, line := range []string{
		`culvert_tunnels{state="established"} 1`, `culvert_sessions{state="up"} 1`,
		`culvert_messages_received_total{type="ICRQ"} 1`, `culvert_ppp_auth_successes_total 1`,
		`culvert_session_setup_seconds_count 1`,
	} {
		if !strings.Contains(metrics, line+"\n") {
			t.Errorf("metrics lack %s", line)
		}
	}
	lac.Config("tunnel", "delete", "tunnel_name=office")
	seen = readEvents(t, lines, "EVENT_TYPE_TUNNEL_DELETED")
	for i, what := range []string{"PPP_DOWN", "SESSION_DOWN"} {
		if seen[i] != what {
			t.Errorf("event %d is %s, want %s: %q", i, seen[i], what, seen)
		}
	}
	lns.checkUsers()
}

// readEvents reads types of events up to one.
func readEvents(t *testing.T, lines *bufio.Scanner, last string) []string {
	t.Helper()
	var seen []string
	for lines.Scan() {
		var e struct{ Type, Kind string }
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatalf("%s: %v", lines.Text(), err)
		}
		seen = append(seen, strings.TrimPrefix(e.Type, "EVENT_TYPE_"))
		if e.Type == last {
			return seen
		}
	}
	t.Fatalf("the events end after %q: %v", seen, lines.Err())
	return nil
}

// checkUsers checks what users without a group, of the readers' and of the admins', are told.
func (s *site) checkUsers() {
	s.t.Helper()
	for dir := filepath.Dir(s.Socket); dir != "/tmp" && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			s.t.Fatal(err)
		}
	}
	for _, c := range []struct{ groups, looks, alters string }{
		{"--clear-groups", "user nobody may not use", "user nobody may not use"},
		{"--groups=users", `"version"`, "nobody may only look: expected root or a member of group games"},
		{"--groups=games", `"version"`, `"max_sessions"`},
	} {
		ask := func(method, body string) string {
			return s.NS.Run("setpriv", "--reuid=nobody", "--regid=nogroup", c.groups, "curl", "-s",
				"--unix-socket", s.Socket, "-H", "Content-Type: application/json", "-d", body,
				"http://culvert/culvert.v1.Management/"+method)
		}
		if got := ask("Version", "{}"); !strings.Contains(got, c.looks) {
			s.t.Errorf("nobody with %s looks: %s, want %q in it", c.groups, got, c.looks)
		}
		got := ask("Modify", `{"object":{"system":{"max_sessions":9}}}`)
		if !strings.Contains(got, c.alters) {
			s.t.Errorf("nobody with %s alters: %s, want %q in it", c.groups, got, c.alters)
		}
	}
}
