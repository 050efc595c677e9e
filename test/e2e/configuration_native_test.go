package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"culvert/api"
	"culvert/test/lab"
)

// twoTunnels is a client with two tunnels to the LNS, of two sessions and of one.
const twoTunnels = `tunnel create tunnel_name=office dest_ipaddr=192.0.2.1 persist=yes
session create tunnel_name=office session_name=a user_name=alice user_password="open sesame"
session create tunnel_name=office session_name=b user_name=alice user_password="open sesame"
tunnel create tunnel_name=home dest_ipaddr=192.0.2.1 persist=yes
session create tunnel_name=home session_name=a user_name=alice user_password="open sesame"
`

// newCall returns an LNS and a client with three sessions that are up.
func newCall(t *testing.T) (lns, lac *site) {
	t.Helper()
	lab.RequireTUN(t)
	at, from := newHosts(t)
	lns = newSite(t, at, "tun", lnsConfig())
	lac = newSite(t, from, "tun", twoTunnels)
	lns.WaitUp(3, upLimit)
	lac.WaitUp(3, upLimit)
	return lns, lac
}

// lives tells the sessions apart, of one tunnel or of all: a session that begins anew
// is another one.
func (s *site) lives(tunnel string) string {
	s.t.Helper()
	var b strings.Builder
	for _, m := range s.Sessions() {
		if tunnel == "" || m.GetTunnelName() == tunnel {
			fmt.Fprintf(&b, "%d/%d since %s\n", m.GetTunnelId(), m.GetSessionId(),
				m.Status.EstablishedAt.AsTime())
		}
	}
	return b.String()
}

func text(s string) *api.Source {
	return &api.Source{From: &api.Source_Text{Text: s}, Name: "new.conf"}
}

// TestNativeReload edits the file of a daemon that has sessions.
func TestNativeReload(t *testing.T) {
	lns, lac := newCall(t)
	office := lac.lives("office")
	home := lac.lives("home")

	edited := "# by hand\nuser create user_name=new user_password=x\n" +
		"ppp profile modify profile_name=default mtu=1400\n" + strings.Replace(twoTunnels,
		"tunnel_name=home dest", "tunnel_name=home host_name=other dest", 1)
	lac.WriteFile(edited)
	changes := lac.CheckConfig(&api.Source{From: &api.Source_File{File: true}}).Changes
	if len(changes) != 3 || changes[2].Name != "home" || changes[2].SessionsDropped != 1 {
		t.Errorf("the check says %v", changes)
	}
	log := lac.Reload()
	for _, want := range []string{`action=create kind=user name=new`, `action=recreate kind=tunnel name=home`,
		`host_name=->other`, "author=SIGHUP revision=2 changes=3 failures=0"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log has no %q:\n%s", want, log)
		}
	}
	lac.WaitUp(3, upLimit)
	if got := lac.lives("office"); got != office {
		t.Errorf("tunnel office had\n%snow\n%s", office, got)
	}
	if lac.lives("home") == home {
		t.Error("tunnel home has not begun anew")
	}

	// What the LNS serves is not disturbed by what is for those that come later.
	lns.WaitUp(3, upLimit)
	served := lns.lives("")
	lns.WriteFile(strings.Replace(lnsConfig(), "10.9.0.0/22", "10.9.0.0/22,10.8.0.0/24", 1) +
		"ppp profile modify profile_name=default ipcp_max_config_requests=20\n" +
		"user create user_name=bob user_password=x\n")
	if log := lns.Reload(); !strings.Contains(log, "changes=3 failures=0") {
		t.Errorf("the LNS's log:\n%s", log)
	}
	if got := lns.lives(""); got != served {
		t.Errorf("the LNS served\n%snow\n%s", served, got)
	}
}

// TestNativeConfirm: a change that is not confirmed goes back, and what is confirmed can be
// written; the file then starts the same daemon again.
func TestNativeConfirm(t *testing.T) {
	_, lac := newCall(t)
	office := lac.lives("office")
	before := lac.Running()
	less := strings.Join(strings.SplitAfter(twoTunnels, "\n")[:3], "")
	lac.LoadConfig(&api.LoadConfigRequest{Source: text(less), ConfirmWithin: 1})
	lac.WaitOutput(upLimit, "not confirmed: going back")
	lac.WaitUp(3, upLimit)
	if got := lac.Running(); got != before {
		t.Errorf("the configuration is\n%swas\n%s", got, before)
	}
	if got := lac.lives("office"); got != office {
		t.Errorf("tunnel office had\n%snow\n%s", office, got)
	}

	lac.Config("user", "create", "user_name=carol", "user_password=x")
	if st := lac.System(); st.Revision != "3, changed since by commands" {
		t.Errorf("system show: revision %q", st.Revision)
	}
	if r, err := lac.WriteConfig(); err != nil || r.Revision != 4 || r.File != lac.File {
		t.Errorf("writing: %v, %v", r, err)
	}
	written, err := os.ReadFile(lac.File)
	if err != nil || !strings.HasPrefix(string(written), twoTunnels) ||
		!strings.Contains(string(written), "user_name=carol") {
		t.Errorf("the file: %v\n%s", err, written)
	}
	if log := lac.Reload(); !strings.Contains(log, "revision=4 changes=0 failures=0") {
		t.Errorf("reloading what was written:\n%s", log)
	}
	if got := lac.lives("office"); got != office {
		t.Errorf("tunnel office had\n%snow\n%s", office, got)
	}
}

// TestNativeBrokenConfigurations: whatever way a broken configuration comes, what is wrong is
// said with its place, and nothing changes.
func TestNativeBrokenConfigurations(t *testing.T) {
	_, lac := newCall(t)
	lives, running := lac.lives(""), lac.Running()
	files, err := filepath.Glob("../../internal/config/testdata/broken/*.conf")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d broken configurations, want 10 or more: %v", len(files), err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			lac.checkBroken(t, name)
			if got := lac.Running(); got != running {
				t.Errorf("the configuration is\n%swas\n%s", got, running)
			}
		})
	}
	if got := lac.lives(""); got != lives {
		t.Errorf("there were\n%snow\n%s", lives, got)
	}
	if n := len(lac.Revisions()); n != 1 {
		t.Errorf("%d revisions, want 1", n)
	}
	if _, err := lac.WriteConfig(); err == nil {
		t.Error("a file with a fault that somebody has written was overwritten")
	}
}

// checkBroken loads a broken file in every way. What is wrong with it stands beside it, a
// line for each fault: file:line:column: what is wrong.
func (s *site) checkBroken(t *testing.T, name string) {
	t.Helper()
	broken, expected := read(t, name), read(t, strings.TrimSuffix(name, ".conf")+".expected")
	base := filepath.Base(name)
	s.WriteFile(broken)
	log := strings.ReplaceAll(s.Reload(), `\"`, `"`)
	for line := range strings.Lines(expected) {
		want := s.File + strings.TrimPrefix(strings.TrimSpace(line), base)
		if !strings.Contains(log, want) {
			t.Errorf("the log has no %q:\n%s", want, log)
		}
	}
	own := &api.Source{From: &api.Source_File{File: true}}
	for what, faults := range map[string][]*api.Fault{
		"checking a text": s.CheckConfig(text(broken)).Faults,
		"loading a text":  s.LoadConfig(&api.LoadConfigRequest{Source: text(broken)}).Faults,
		"loading a file":  s.LoadConfig(&api.LoadConfigRequest{Source: own}).Faults,
	} {
		var got strings.Builder
		for _, f := range faults {
			fmt.Fprintf(&got, "%s:%d:%d: %s\n", base, f.Line, f.Column, f.Message)
		}
		if got.String() != expected {
			t.Errorf("%s:\n%swant\n%s", what, &got, expected)
		}
	}
	merged := s.LoadConfig(&api.LoadConfigRequest{Source: text(broken), Merge: true})
	if len(merged.Faults) == 0 {
		t.Error("merging it: no fault")
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
