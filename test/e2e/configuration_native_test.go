package e2e

import (
	"fmt"
	"os"
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
	served, office := lns.lives(""), lac.lives("office")
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
	served = lns.lives("")
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
	if err != nil || !strings.Contains(string(written), "user_name=carol") {
		t.Errorf("the file: %v\n%s", err, written)
	}
	if log := lac.Reload(); !strings.Contains(log, "revision=4 changes=0 failures=0") {
		t.Errorf("reloading what was written:\n%s", log)
	}
	if got := lac.lives("office"); got != office {
		t.Errorf("tunnel office had\n%snow\n%s", office, got)
	}
}

// Broken configurations: where the fault is, and a word that is to be in the answer.
var broken = []struct {
	name, text   string
	line, column uint32
	word         string
}{
	{"command", "tunel create tunnel_name=x dest_ipaddr=192.0.2.1\n", 1, 1, `"tunel"`},
	{"operation", "\n\ntunnel craete tunnel_name=x\n", 3, 8, `"create"`},
	{"parameter", "tunnel create tunnel_name=x dest_ipadr=192.0.2.1\n", 1, 29, `"dest_ipaddr"`},
	{"value", "tunnel create tunnel_name=x \\\n  dest_ipaddr=192.0.2.1 persist=perhaps\n", 2, 33, "yes or no"},
	{"range", "user create user_name=u user_password=x\ntunnel profile modify profile_name=default mtu=9\n", 2, 48, "68"},
	{"quote", "user create user_name=\"x user_password=y\n", 1, 23, `closing "`},
	{"reference", "tunnel create tunnel_name=x dest_ipaddr=::1 profile_name=nope\n", 1, 45, "nope"},
	{"duplicate", "user create user_name=u user_password=x\nuser create user_name=u user_password=y\n", 2, 13, "exists"},
	{"missing", "# a comment\nuser create user_name=u\n", 2, 1, "user_password"},
	{"tunnel", "session create tunnel_name=none session_name=s\n", 1, 16, `"none"`},
}

// TestNativeBrokenConfigurations: whatever way a broken configuration comes, what is wrong is
// said with its place, and nothing changes.
func TestNativeBrokenConfigurations(t *testing.T) {
	_, lac := newCall(t)
	lives, running := lac.lives(""), lac.Running()
	for _, b := range broken {
		t.Run(b.name, func(t *testing.T) {
			lac.WriteFile(b.text)
			log := lac.Reload()
			place := fmt.Sprintf("%s:%d:%d: ", lac.File, b.line, b.column)
			if !strings.Contains(log, place) || !strings.Contains(strings.ReplaceAll(log, `\"`, `"`), b.word) {
				t.Errorf("the log has no %q with %q:\n%s", place, b.word, log)
			}
			file := &api.Source{From: &api.Source_File{File: true}}
			for what, faults := range map[string][]*api.Fault{
				"checking a text": lac.CheckConfig(text(b.text)).Faults,
				"loading a text":  lac.LoadConfig(&api.LoadConfigRequest{Source: text(b.text)}).Faults,
				"loading a file":  lac.LoadConfig(&api.LoadConfigRequest{Source: file}).Faults,
				"merging a text": lac.LoadConfig(&api.LoadConfigRequest{
					Source: text(b.text), Merge: true}).Faults,
			} {
				if len(faults) != 1 || faults[0].Line != b.line || faults[0].Column != b.column ||
					!strings.Contains(faults[0].Message, b.word) {
					t.Errorf("%s: %v, want %d:%d with %q", what, faults, b.line, b.column, b.word)
				}
			}
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
