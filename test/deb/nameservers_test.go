package deb

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// A handover is the program that hands name servers over, in a folder of its own.
type handover struct {
	*testing.T
	dir string
}

func newHandover(t *testing.T, before string) handover {
	h := handover{t, t.TempDir()}
	h.write("resolv.conf", before)
	return h
}

func (h handover) write(name, text string) {
	h.Helper()
	if err := os.WriteFile(filepath.Join(h.dir, name), []byte(text), 0o644); err != nil {
		h.Fatal(err)
	}
}

// program makes a program of a script.
func (h handover) program(name, script string) {
	h.Helper()
	h.write(name, "#!/bin/sh\n"+script+"\n")
	if err := os.Chmod(filepath.Join(h.dir, name), 0o755); err != nil {
		h.Fatal(err)
	}
}

// run tells what the daemon wants, and wants the host's file to say something.
func (h handover) run(wanted, resolv string, args ...string) {
	h.Helper()
	h.write("wanted", wanted)
	script, err := filepath.Abs(filepath.Join(root, "packaging/name-servers"))
	if err != nil {
		h.Fatal(err)
	}
	// Of the programs none but these: no resolvconf, unless it is a test's.
	cmd := exec.Command("sh", append([]string{script}, args...)...)
	cmd.Env = []string{"PATH=" + h.dir + ":/usr/bin:/bin", "CULVERT_KEEP=" + h.dir, "CULVERT_NAME_SERVERS=" + h.dir + "/wanted",
		"CULVERT_RESOLV_CONF=" + h.dir + "/resolv.conf", "CULVERT_RESOLVER_STATE=" + h.dir + "/state"}
	if out, err := cmd.CombinedOutput(); err != nil {
		h.Fatalf("name-servers: %v: %s", err, out)
	}
	if b, err := os.ReadFile(filepath.Join(h.dir, "resolv.conf")); err != nil || string(b) != resolv {
		h.Errorf("wanted %q: resolv.conf has %q, %v, want %q", wanted, b, err, resolv)
	}
}

const byCulvert = "# Name servers of peers, by culvertd\n"

func TestNameServersComeAndGo(t *testing.T) {
	h := newHandover(t, "search example.org\n")
	h.run("", "search example.org\n")
	h.run("# ppp0\nnameserver 192.0.2.1\n", byCulvert+"nameserver 192.0.2.1\n")
	h.run("nameserver 192.0.2.1\nnameserver 2001:db8::1\n",
		byCulvert+"nameserver 192.0.2.1\nnameserver 2001:db8::1\n")
	h.run("", "search example.org\n")
	h.run("nameserver 192.0.2.2\n", byCulvert+"nameserver 192.0.2.2\n")
	h.run("nameserver 192.0.2.2\n", "search example.org\n", "clear")
}

// TestNameServersOfTheDead: they go when sessions end, with the daemon or with the keeper, and
// not before.
func TestNameServersOfTheDead(t *testing.T) {
	const wanted = "nameserver 192.0.2.1\n"
	for _, test := range []struct {
		ended         string
		state, daemon bool // whether the daemon has left state, and is there
		stay          bool
	}{
		{"daemon-ended", true, false, true},
		{"daemon-ended", false, false, false},
		{"keeper-ended", true, true, true},
		{"keeper-ended", true, false, false},
		{"keeper-ended", false, false, false},
	} {
		h := newHandover(t, "before\n")
		pid := "0"
		if test.daemon {
			pid = "4711"
		}
		if test.state {
			h.write("current", "1\n")
		}
		h.program("systemctl", "echo "+pid)
		h.run(wanted, byCulvert+wanted)
		want := "before\n"
		if test.stay {
			want = byCulvert + wanted
		}
		h.run(wanted, want, test.ended)
	}
}

// TestNameServersInAHurry: what the daemon asks for while the last is being carried out is not
// forgotten.
func TestNameServersInAHurry(t *testing.T) {
	h := newHandover(t, "before\n")
	h.program("resolvconf", `echo "$1" >>`+h.dir+`/calls; : >`+h.dir+`/wanted`)
	h.run("nameserver 192.0.2.1\n", "before\n")
	if b, err := os.ReadFile(filepath.Join(h.dir, "calls")); err != nil || string(b) != "-a\n-d\n" {
		t.Errorf("resolvconf was called with %q, %v, want -a and then -d", b, err)
	}
}

// TestNameServersOnly: the daemon is not trusted to say anything else.
func TestNameServersOnly(t *testing.T) {
	h := newHandover(t, "before\n")
	h.run("search evil.example\noptions debug\nnameserver $(id)\nnameserver 192.0.2.1 x\n", "before\n")
	h.run("nameserver 192.0.2.1\nsearch evil.example\n", byCulvert+"nameserver 192.0.2.1\n")
}

// TestOthersNameServers: what another program has written since is left alone.
func TestOthersNameServers(t *testing.T) {
	h := newHandover(t, "before\n")
	h.run("nameserver 192.0.2.1\n", byCulvert+"nameserver 192.0.2.1\n")
	h.write("resolv.conf", "by DHCP\n")
	h.run("", "by DHCP\n")
}
