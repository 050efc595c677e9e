package peers

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"culvert/test/lab"
)

// L2TPNSConfig says how l2tpns is to run.
type L2TPNSConfig struct {
	Bind   netip.Addr   // where it listens
	Local  netip.Addr   // its end of PPP links, outside of the pool
	Pool   netip.Prefix // where RADIUS gives no address
	Secret string       // of the tunnel; l2tpns only answers challenges
	Auth   Auth         // PAP or CHAP
	Quiet  bool         // logs little, where speed is measured
}

// An L2TPNS is a running l2tpns. It carries data itself, by one TUN device.
type L2TPNS struct {
	t      testing.TB
	dir    string
	daemon *lab.Daemon
}

// StartL2TPNS starts l2tpns in the namespace and returns when it serves. It asks a
// FreeRADIUS in the same namespace about users.
func StartL2TPNS(t testing.TB, ns *lab.NetNS, cfg L2TPNSConfig) *L2TPNS {
	t.Helper()
	lab.RequireProgram(t, "l2tpns")
	l := &L2TPNS{t: t, dir: t.TempDir()}
	// l2tpns knows no other places for these.
	ns.EtcFile("l2tpns/startup-config", cfg.startup(l.dir), 0o600)
	ns.EtcFile("l2tpns/ip_pool", cfg.Pool.String()+"\n", 0o600)
	ns.EtcFile("l2tpns/users", "", 0o600)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("l2tpns said:\n%s", l.log())
		}
	})
	l.daemon = ns.StartDaemon(t, "l2tpns")
	t.Cleanup(l.daemon.Kill) // after HangUp it may not end by itself
	// It serves only as a cluster's master, which it becomes when no other one
	// was heard for cluster_hb_timeout.
	l.WaitLog(`declaring myself the master`)
	return l
}

func (c L2TPNSConfig) startup(dir string) string {
	// The heartbeat's timeout cannot be less than 15 tenths of a second.
	debug := 3
	if c.Quiet {
		debug = 1
	}
	text := fmt.Sprintf(`set debug %[6]d
set log_file "%[1]s/log"
set pid_file "%[1]s/pid"
set bind_address %[2]v
set peer_address %[3]v
set radius_authtypes "%[4]s"
set radius_secret "%[5]s"
set primary_radius 127.0.0.1
set primary_radius_port 1812
set primary_dns 10.0.0.1
set cluster_interface "lo"
set cluster_hb_interval 1
set cluster_hb_timeout 15
set send_garp no
set cli_bind_address 127.0.0.1
`, dir, c.Bind, c.Local, c.Auth, radiusSecret, debug)
	if c.Secret != "" {
		text += fmt.Sprintf("set l2tp_secret %q\n", c.Secret)
	}
	return text
}

func (l *L2TPNS) log() string {
	b, err := os.ReadFile(filepath.Join(l.dir, "log"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		l.t.Errorf("reading the log of l2tpns: %v", err)
	}
	return string(b)
}

// WaitLog waits for a line in the log of l2tpns.
func (l *L2TPNS) WaitLog(pattern string) {
	l.t.Helper()
	waitLog(l.t, "l2tpns", l.log, pattern)
}

// PID is the process's identifier.
func (l *L2TPNS) PID() int { return l.daemon.Cmd.Process.Pid }

// HangUp ends all tunnels from the server's end: l2tpns ends with them.
func (l *L2TPNS) HangUp() {
	l.t.Helper()
	l.daemon.Signal(syscall.SIGQUIT)
}
