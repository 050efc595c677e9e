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

// run tells what the daemon wants, and wants the host's file to say something.
func (h handover) run(wanted, resolv string, args ...string) {
	h.Helper()
	h.write("wanted", wanted)
	script, err := filepath.Abs(filepath.Join(root, "packaging/name-servers"))
	if err != nil {
		h.Fatal(err)
	}
	// Of the programs none but these: no resolvconf.
	cmd := exec.Command("sh", append([]string{script}, args...)...)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "CULVERT_NAME_SERVERS=" + h.dir + "/wanted",
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
