package shell_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const saved = "system modify max_sessions=9\n" +
	"ppp profile create profile_name=p ip_pool_name=later dns_ipaddr_pri=192.0.2.1\n" +
	"session profile create profile_name=s ppp_profile_name=p\n" +
	"pool create pool_name=later addresses=10.0.0.0/24\n" +
	"user create user_name=alice user_password=\"a # b\" ip_pool_name=later\n" +
	"tunnel create tunnel_name=t dest_ipaddr=127.0.0.1\n" +
	"session create tunnel_name=t session_name=one profile_name=s\n"

// What one daemon saved another restores, although profiles come before the pools that
// they name.
func TestRestoreWhatWasSaved(t *testing.T) {
	file := filepath.Join(t.TempDir(), "saved")
	one, other := serve(t, saved), serve(t, "")
	one.does("config", "save", "file="+file)
	other.does("config", "restore", "file="+file)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := other.does("config", "save"); got != string(text) {
		t.Errorf("got\n%s\nwant\n%s", got, text)
	}
	other.wait("the tunnel", func() bool {
		return strings.Contains(other.does("tunnel", "list"), "t ")
	})
}

// A configuration with a fault changes nothing; other commands are carried out up to
// the first that fails.
func TestRestoreUpToWhere(t *testing.T) {
	for text, users := range map[string]string{
		"user create user_name=a user_password=x\nuser create user_name=b\n":                  "",
		"user create user_name=a user_password=x\nuser list\nuser create user_name=b\n":       "a",
		"user create user_name=a user_password=x\nus cr user_name=b user_password=x\nnone\n":  "a b",
		"user create user_name=a user_password=x\ntunnel delete tunnel_id=77\nuser list\n":    "a",
		"user create user_name=a user_password=x\nsystem modify reset_statistics max_tunnels": "a",
	} {
		d := serve(t, "")
		file := filepath.Join(t.TempDir(), "commands")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, code := d.tries("config", "restore", "file="+file)
		if code == 0 || !strings.Contains(out, file+":") {
			t.Errorf("%q: exit code %d: %s", text, code, out)
		}
		var got []string
		for line := range strings.Lines(d.does("config", "save")) {
			if name, ok := strings.CutPrefix(line, "user create user_name="); ok {
				got = append(got, strings.Fields(name)[0])
			}
		}
		if names := strings.Join(got, " "); names != users {
			t.Errorf("%q: users %q, want %q", text, names, users)
		}
	}
}
