package deb

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"culvert/test/daemon"
	"culvert/test/lab"
)

// limit is how long anything may take. The machine may be emulated, and shared.
const limit = 60 * time.Second

// The host's address towards the client, and the one that sessions lead to.
const (
	hostAddr    = "192.0.2.1"
	gatewayAddr = "10.20.0.1"
)

// countPPP counts the kernel's interfaces of sessions on the host.
const countPPP = "ip -oneline link show | grep -c POINTOPOINT || true"

// shortWatchdog is a drop-in, as an administrator would write it.
const shortWatchdog = "[Service]\nWatchdogSec=10\n"

// impatient has systemd give up, by default, what is started often: also on a machine that is slow.
const impatient = "[Manager]\nDefaultStartLimitIntervalSec=1min\n"

// A machine is one with systemd, on which the package is tried.
type machine struct {
	*testing.T
	client *daemon.Daemon
}

// TestPackage is the life of an installation. Each step needs the one before.
func TestPackage(t *testing.T) {
	packages := os.Getenv("CULVERT_TEST_PACKAGES")
	if packages == "" {
		t.Skip("needs a machine with systemd: make test-deb")
	}
	m := &machine{T: t}
	t.Cleanup(m.explain)
	m.write("/etc/systemd/system/culvertd.service.d/test.conf", shortWatchdog)
	m.write("/etc/systemd/system.conf.d/test.conf", impatient)
	m.install(filepath.Join(packages, "old.deb"), "0.0.1~test")
	m.checkProcess()
	m.checkKeeper()
	m.connect()
	m.checkNameServers()
	m.configure()
	m.startSession("first")
	m.checkUnmanaged()
	m.checkReload()
	m.checkKill()
	m.checkWatchdog()
	m.checkRestart()
	m.checkFaultyFile()
	m.checkUpgrade(filepath.Join(packages, "new.deb"))
	m.startSession("second")
	m.checkRemoval()
	m.checkPurge()
}

// explain prints what the daemon and systemd say about a failure.
func (m *machine) explain() {
	if !m.Failed() {
		return
	}
	for _, command := range []string{"systemctl status --no-pager culvertd",
		"journalctl --no-pager --lines 200 --identifier culvertd --identifier culvert-keeper --identifier systemd", "ls -laR /etc/culvert /run/culvert /dev/ppp"} {
		out, _ := exec.Command("sh", "-c", command).CombinedOutput()
		m.Logf("%s\n%s", command, out)
	}
	if m.client != nil {
		m.Logf("the client's log\n%s", m.client.Output())
	}
}

// try runs a command of the shell.
func (m *machine) try(command string) (string, error) {
	out, err := exec.Command("sh", "-c", command).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// run runs a command that must succeed, and returns its output.
func (m *machine) run(command string) string {
	m.Helper()
	out, err := m.try(command)
	if err != nil {
		m.Fatalf("%s: %v\n%s", command, err, out)
	}
	return out
}

// want runs a command, whose output must match. A command may fail.
func (m *machine) want(command, pattern string) {
	m.Helper()
	if out, err := m.try(command); !regexp.MustCompile("^(" + pattern + ")$").MatchString(out) {
		m.Errorf("%s: %q, %v, want %s", command, out, err, pattern)
	}
}

// wait runs a command until it succeeds.
func (m *machine) wait(command string) {
	m.Helper()
	lab.Wait(m.T, limit, command, func() error { _, err := m.try(command); return err })
}

func (m *machine) write(path, text string) {
	m.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		m.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		m.Fatal(err)
	}
}

func (m *machine) step(text string) {
	m.Log(time.Now().Format("15:04:05 ") + text)
}

// pid is the number of the daemon.
func (m *machine) pid() string {
	m.Helper()
	return m.run("systemctl show --property MainPID --value culvertd")
}

// waitActive waits for a daemon that is ready, and not the one whose number is given.
func (m *machine) waitActive(not string) {
	m.Helper()
	m.wait("systemctl is-active --quiet culvertd && " +
		"test $(systemctl show --property MainPID --value culvertd) != '" + not + "'")
}

func (m *machine) install(file, version string) {
	m.step("install")
	m.run("dpkg --force-unsafe-io --install " + file)
	m.want("dpkg-query --show --showformat='${Status} ${Version}' culvert",
		"install ok installed "+version)
	m.want("systemctl is-active culvertd", "active")
	m.want("systemctl is-enabled culvertd", "enabled")
	m.want("systemctl show --property StatusText --value culvertd", ".*0 sessions up")
	m.want("l2tpconfig system show | grep -c "+version, "1")
	m.want("stat --format '%U %G %a' /etc/culvert /etc/culvert/culvertd.conf | xargs",
		"culvert culvert 750 culvert culvert 640")
	m.want("culvertd --check", "configuration ok")
}

// checkProcess: the daemon's user, and its rights.
func (m *machine) checkProcess() {
	m.step("process")
	status := "/proc/" + m.pid() + "/status"
	m.want("ps -o user= -o group= -p "+m.pid(), "culvert +culvert")
	const netAdmin = "0000000000001000"
	for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
		m.want("sed -n 's/^"+set+":\\s*//p' "+status, netAdmin)
	}
	m.want("sed -n 's/^NoNewPrivs:\\s*//p;s/^Seccomp:\\s*//p' "+status+" | xargs", "1 2")
	m.want("l2tpconfig system show | grep dataplane", ".*kernel.*")
	m.want("setpriv --reuid nobody --clear-groups l2tpconfig system show; echo $?", "(?s).*nobody.*\\n[1-9]")
}

// checkKeeper: it is there, without any rights, and outlives the daemon, but not the
// wish to have one.
func (m *machine) checkKeeper() {
	m.step("keeper")
	keeper := m.keeper()
	m.want("ps -o user= -o group= -p "+keeper, "culvert +culvert")
	m.want("sed -n 's/^Cap[A-Z][a-z]*:\\s*//p' /proc/"+keeper+"/status | sort -u", "0000000000000000")
	m.want("sed -n 's/^Max open files *//p' /proc/"+keeper+"/limits | xargs", "1048576 1048576 files")
	m.want("stat --format '%U %G %a' /run/culvert/keeper.sock", "culvert culvert 600")
	m.run("systemctl restart culvertd")
	m.want("systemctl show --property MainPID --value culvert-keeper", keeper)
	before := m.pid()
	m.run("systemctl restart culvert-keeper")
	m.want("systemctl show --property MainPID --value culvertd", before)
	m.run("systemctl stop culvertd")
	m.wait("! systemctl is-active culvert-keeper")
	m.run("systemctl start culvertd")
	m.want("systemctl is-active culvert-keeper", "active")
}

// keeper is the number of the keeper.
func (m *machine) keeper() string {
	m.Helper()
	return m.run("systemctl show --property MainPID --value culvert-keeper")
}

// configure is what an administrator does: commands, and nothing else.
func (m *machine) configure() {
	m.step("configure")
	for _, command := range []string{
		"pool create pool_name=homes addresses=10.20.0.0/26 reserved=" + gatewayAddr,
		"ppp profile modify profile_name=default local_ipaddr=" + gatewayAddr + " ip_pool_name=homes",
		"user create user_name=alice user_password=swordfish",
		"write memory",
	} {
		m.run("l2tpconfig " + command)
	}
	m.want("stat --format '%U %G' /etc/culvert/culvertd.conf", "culvert culvert")
	m.want("grep -c swordfish /etc/culvert/culvertd.conf", "1")
	m.want("stat --format %A /etc/culvert/culvertd.conf", "-rw-[-r]-----")
}

// connect makes a client in a namespace of its own.
func (m *machine) connect() {
	ns := lab.NewNetNS(m.T, "client")
	m.run("ip link add culvtest type veth peer name eth0 netns " + ns.Name)
	m.run("ip addr add " + hostAddr + "/24 dev culvtest && ip link set culvtest up")
	ns.Run("ip", "addr", "add", "192.0.2.2/24", "dev", "eth0")
	ns.Run("ip", "link", "set", "eth0", "up")
	m.client = daemon.Start(m.T, ns, daemon.Options{Dataplane: "kernel"})
}

// checkNameServers: the host dials in at the other end for once, and asks the name
// server that it is given for as long as the session lives.
func (m *machine) checkNameServers() {
	m.step("name servers")
	m.client.Config("pool", "create", "pool_name=p", "addresses=10.30.0.0/28", "reserved=10.30.0.1")
	m.client.Config("ppp", "profile", "modify", "profile_name=default", "local_ipaddr=10.30.0.1",
		"ip_pool_name=p", "dns_ipaddr_pri=198.51.100.53")
	m.client.Config("user", "create", "user_name=host", "user_password=sesame")
	m.write("/etc/resolv.conf", "nameserver 192.0.2.53\n")
	for _, command := range []string{
		"ppp profile modify profile_name=default accept_dns=yes",
		"tunnel create tunnel_name=out dest_ipaddr=192.0.2.2",
		"session create tunnel_name=out session_name=out user_name=host user_password=sesame",
	} {
		m.run("l2tpconfig " + command)
	}
	m.wait("grep -x 'nameserver 198.51.100.53' /etc/resolv.conf")
	const changed = "stat --format %z /etc/resolv.conf"
	before, pid := m.run(changed), m.pid()
	m.run("systemctl kill --kill-who main --signal KILL culvertd")
	m.waitActive(pid)
	m.want(changed, regexp.QuoteMeta(before)) // not even for a moment
	m.run("l2tpconfig tunnel delete tunnel_name=out")
	m.wait("grep -x 'nameserver 192.0.2.53' /etc/resolv.conf")
	m.want("grep -c nameserver /etc/resolv.conf", "1")
	m.client.Config("ppp", "profile", "unset", "profile_name=default", "local_ipaddr",
		"ip_pool_name", "dns_ipaddr_pri")
	m.wait("test $(" + countPPP + ") = 0")
}

// startSession: the client's session comes up, and packets cross in the kernel.
func (m *machine) startSession(name string) {
	m.step("session " + name)
	m.client.Config("tunnel", "create", "tunnel_name="+name, "dest_ipaddr="+hostAddr)
	m.client.Config("session", "create", "tunnel_name="+name, "session_name="+name,
		"user_name=alice", "user_password=swordfish")
	gateway := netip.MustParseAddr(gatewayAddr)
	lab.Wait(m.T, limit, "the session to carry packets", func() error {
		return m.client.NS.TryPing(m.Context(), gateway, 1)
	})
	m.client.NS.Ping(m.T, gateway, 5, "-s", "1200")
	m.want(countPPP, "1")
	m.want("l2tpconfig session list | grep -c alice", "[1-9]")
}

func (m *machine) checkReload() {
	m.step("reload")
	before := m.pid()
	m.run("echo '# a note of the administrator' >>/etc/culvert/culvertd.conf && " +
		"echo 'user create user_name=bob user_password=hunter2' >>/etc/culvert/culvertd.conf")
	m.run("systemctl reload culvertd")
	m.wait("l2tpconfig user list | grep bob")
	m.want("systemctl is-active culvertd", "active")
	if after := m.pid(); after != before {
		m.Errorf("reloading made process %s of %s", after, before)
	}
	m.client.NS.Ping(m.T, netip.MustParseAddr(gatewayAddr), 2)
	m.run("cp -p /etc/culvert/culvertd.conf /root/good && echo nonsense >>/etc/culvert/culvertd.conf")
	m.want("systemctl reload culvertd 2>/dev/null || echo refused", "refused")
	m.run("cp -p /root/good /etc/culvert/culvertd.conf && systemctl reload culvertd")
}

// checkSession has something happen to the daemon, which the session outlives: no packet
// is lost, and another process serves it in the end.
func (m *machine) checkSession(happen func()) {
	m.Helper()
	before := m.pid()
	session := m.run("l2tpconfig --output json session list | grep -e session_id -e established_at")
	stop := m.client.NS.StartPing(m.T, netip.MustParseAddr(gatewayAddr), 50*time.Millisecond)
	happen()
	m.waitActive(before)
	m.want(countPPP, "1")
	if after := m.run("l2tpconfig --output json session list | grep -e session_id -e established_at"); after != session {
		m.Errorf("the session was\n%s\nand is\n%s", session, after)
	}
	stop()
}

// checkKill: a daemon that dies is started again, with its configuration and its session.
func (m *machine) checkKill() {
	m.step("kill")
	keeper := m.keeper()
	m.checkSession(func() { m.run("systemctl kill --kill-who main --signal KILL culvertd") })
	m.want("systemctl show --property MainPID --value culvert-keeper", keeper)
	m.want("l2tpconfig user list | grep -c -e alice -e bob", "2")
}

// checkWatchdog: a daemon that hangs is started again.
func (m *machine) checkWatchdog() {
	m.step("watchdog")
	m.checkSession(func() { m.run("systemctl kill --kill-who main --signal STOP culvertd") })
	m.want("journalctl --no-pager --unit culvertd | grep -c 'Watchdog timeout'", "1")
}

func (m *machine) checkRestart() {
	m.step("restart")
	m.checkSession(func() { m.run("systemctl restart culvertd") })
}

// checkFaultyFile: however often somebody tries to start the daemon with a file that has a
// fault, the session waits for that to be mended.
func (m *machine) checkFaultyFile() {
	m.step("faulty file")
	keeper := m.keeper()
	m.checkSession(func() {
		m.run("echo nonsense >>/etc/culvert/culvertd.conf")
		for range 7 { // more than systemd allows in 10 seconds by default
			m.want("systemctl restart culvertd 2>/dev/null || echo failed", "failed")
		}
		m.run("cp -p /root/good /etc/culvert/culvertd.conf")
	})
	m.want("systemctl show --property MainPID --value culvert-keeper", keeper)
}

// checkUpgrade: what the administrator has changed stays, and so does the session.
func (m *machine) checkUpgrade(file string) {
	m.step("upgrade")
	m.run("sed -i 's/^CULVERTD_OPTIONS=.*/CULVERTD_OPTIONS=--trace=system/' /etc/default/culvertd")
	keeper, config := m.keeper(), m.run("cat /etc/culvert/culvertd.conf")
	m.checkSession(func() { m.run("DEBIAN_FRONTEND=noninteractive dpkg --force-unsafe-io --install " + file) })
	m.want("l2tpconfig system show | grep -c 0.0.2~test", "1")
	m.want("systemctl show --property MainPID --value culvert-keeper", keeper)
	m.want("tr '\\0' ' ' </proc/$(systemctl show -P MainPID culvertd)/cmdline", ".*--trace=system")
	if after := m.run("cat /etc/culvert/culvertd.conf"); after != config {
		m.Errorf("the configuration was\n%s\nand is\n%s", config, after)
	}
	m.run("systemctl stop culvertd")
	m.want(countPPP, "0") // a stop is no restart
	m.wait("! systemctl is-active --quiet culvert-keeper")
	m.run("/var/lib/dpkg/info/culvert.postinst configure 0.0.1~test")
	m.want("systemctl is-active culvertd", "inactive") // as it was before
	m.run("systemctl start culvertd")
	m.client.WaitGone(limit)
}

func (m *machine) checkRemoval() {
	m.step("remove")
	m.run("dpkg --remove culvert")
	m.want("systemctl is-active culvertd", "inactive|unknown")
	m.want("pgrep --count --uid culvert", "0")
	m.want("grep -c swordfish /etc/culvert/culvertd.conf", "1")
	m.want("test -e /usr/sbin/culvertd || echo gone", "gone")
	m.want(countPPP, "0")
}

func (m *machine) checkPurge() {
	m.step("purge")
	m.run("dpkg --purge culvert")
	m.want("ls -d /etc/culvert /run/culvert /var/lib/culvert /var/log/culvert /etc/default/culvertd "+
		"/etc/logrotate.d/culvertd /etc/systemd/system/culvertd.service "+
		"/etc/systemd/system/multi-user.target.wants/culvertd.service 2>/dev/null", "")
	m.want("getent passwd culvert | cut -d: -f1", "culvert")
}
