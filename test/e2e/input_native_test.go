package e2e

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"culvert/test/daemon"
	"culvert/test/lab"
)

// Mistakes that a user makes at the command line, and the same in a file: one
// line says what, where and what was expected, and nothing changes.
var mistakes = []struct {
	name, command, want string
}{
	{"object", "tunel create tunnel_name=x dest_ipaddr=192.0.2.1", `tunel.*tunnel`},
	{"operation", "tunnel craete tunnel_name=x", `craete.*create`},
	{"parameter", "tunnel create tunnel_name=x dest_ipadr=192.0.2.1", `dest_ipadr.*dest_ipaddr`},
	{"missing", "tunnel create tunnel_name=x", `dest_ipaddr`},
	{"number", "tunnel profile modify profile_name=default hello_timeout=soon", `hello_timeout.*soon`},
	{"range", "tunnel profile modify profile_name=default our_udp_port=70000", `our_udp_port.*70000.*65535`},
	{"address", "pool create pool_name=p addresses=10.0.0.300", `addresses.*10\.0\.0\.300`},
	{"word", "tunnel profile modify profile_name=default auth_mode=maybe", `auth_mode.*maybe.*challenge`},
	{"profile", "tunnel create tunnel_name=x dest_ipaddr=192.0.2.1 profile_name=nope", `nope`},
	{"duplicate", "pool create pool_name=home addresses=10.1.0.0/24", `home.*exist`},
	{"quote", `user create user_name="x user_password=y`, `closing "`},
}

func TestNativeMistakesInCommands(t *testing.T) {
	lab.RequireTUN(t)
	s := newSite(t, lab.NewNetNS(t, "host"), "null", lnsConfig())
	before := s.Config("config", "save")
	for _, m := range mistakes {
		t.Run(m.name, func(t *testing.T) {
			stdout, stderr, err := s.TryConfig(m.command)
			checkRefusal(t, stdout+stderr, err, m.want)
			if after := s.Config("config", "save"); after != before {
				t.Errorf("the configuration changed:\n%s\nwas:\n%s", after, before)
			}
		})
	}
}

func TestNativeMistakesInFiles(t *testing.T) {
	lab.RequireTUN(t)
	for _, m := range mistakes {
		t.Run(m.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "culvertd.conf")
			if err := os.WriteFile(file, []byte(lnsConfig(m.command)), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command(daemon.Program(t, "culvertd"), "--check", "--config", file).CombinedOutput()
			checkRefusal(t, string(out), err, regexp.QuoteMeta(file)+`:4:[0-9]+: .*(?:`+m.want+`)`)
		})
	}
}

// checkRefusal wants one line that matches, and a failure.
func checkRefusal(t *testing.T, output string, err error, want string) {
	t.Helper()
	if _, failed := errors.AsType[*exec.ExitError](err); !failed {
		t.Errorf("exit: %v, want a code other than 0", err)
	}
	if strings.Count(output, "\n") != 1 || !regexp.MustCompile(want).MatchString(output) {
		t.Errorf("said:\n%s\nwant one line that matches %s", output, want)
	}
}

func TestNativeMistakesInFlags(t *testing.T) {
	lab.RequireTUN(t)
	for _, test := range []struct {
		want string
		args []string
	}{
		{`--dataplane.*"fast".*kernel`, []string{"--dataplane", "fast", "--socket", t.TempDir() + "/s"}},
		{`--listen.*"here"`, []string{"--listen", "here"}},
		{`unknown flag: --lisen`, []string{"--lisen", "::"}},
		{`/nowhere/culvertd.conf`, []string{"--config", "/nowhere/culvertd.conf"}},
		{`unknown command.*sreve`, []string{"sreve"}},
	} {
		out, err := exec.Command(daemon.Program(t, "culvertd"), test.args...).CombinedOutput()
		checkRefusal(t, string(out), err, test.want)
	}
}

// runCulvertd runs a culvertd that should not come to serve.
func runCulvertd(t *testing.T, ns *lab.NetNS, dataplane string) (output string, err error) {
	t.Helper()
	args := []string{"--dataplane", dataplane, "--socket", filepath.Join(t.TempDir(), "socket")}
	out, err := ns.Command(t.Context(), daemon.Program(t, "culvertd"), args...).CombinedOutput()
	return lastLine(string(out)), err
}

// lastLine leaves out what the daemon logged before.
func lastLine(text string) string {
	lines := strings.SplitAfter(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1] + "\n"
}

func TestNativePortInUse(t *testing.T) {
	lab.RequireTUN(t)
	ns := lab.NewNetNS(t, "host")
	clean := ns.State()
	var conn *net.UDPConn
	err := ns.Do(func() (err error) {
		conn, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("0.0.0.0:1701")))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := runCulvertd(t, ns, "tun")
	checkRefusal(t, out, err, `0\.0\.0\.0:1701.*in use`)
	ns.CheckLeaks(t, clean)
	conn.Close()

	first := newSite(t, ns, "tun", "")
	out, err = runCulvertd(t, ns, "null")
	checkRefusal(t, out, err, `0\.0\.0\.0:1701.*in use`)
	first.Config("system", "show") // it still answers
	first.stop(clean)
}

// Somebody who is not root gets told so, by either program.
func TestNativeNoPermission(t *testing.T) {
	lab.RequireTUN(t)
	s := newSite(t, lab.NewNetNS(t, "host"), "null", "")
	dir := publicDir(t)
	for _, name := range []string{"culvertd", "l2tpconfig"} {
		copyFile(t, daemon.Program(t, name), filepath.Join(dir, name))
	}
	out, err := asNobody(dir+"/culvertd", "--dataplane", "tun", "--socket", dir+"/socket",
		"--listen", "127.0.0.1:0")
	checkRefusal(t, lastLine(out), err, `(?i)permission|not permitted`)

	if err := os.Chmod(filepath.Dir(s.Socket), 0o755); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Link(s.Socket, link); err != nil {
		t.Fatal(err)
	}
	out, err = asNobody(dir+"/l2tpconfig", "--socket", link, "tunnel", "list")
	checkRefusal(t, out, err, `nobody may not use the daemon.s socket: expected root`)
}

// publicDir is a directory that everybody may write to.
func publicDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "culvert")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func asNobody(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Where the kernel has no L2TP, --dataplane kernel names the modules.
func TestNativeMissingModule(t *testing.T) {
	lab.RequireTUN(t)
	if _, err := os.Stat("/sys/module/l2tp_netlink"); err == nil {
		t.Log("the kernel has L2TP: nothing to see")
		return
	}
	ns := lab.NewNetNS(t, "host")
	clean := ns.State()
	out, err := runCulvertd(t, ns, "kernel")
	checkRefusal(t, out, err, `load modules? .*(ppp_generic|l2tp_ppp|l2tp_netlink)`)
	ns.CheckLeaks(t, clean)

	s := newSite(t, ns, "auto", "")
	if st := s.System(); st.GetDataplane() != "tun" || !strings.Contains(st.GetDataplaneNote(), "l2tp") {
		t.Errorf("data plane %q, note %q; want tun, and why", st.GetDataplane(), st.GetDataplaneNote())
	}
	s.stop(clean)
}
