package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// The two hosts, and the addresses of the network between them.
const (
	lnsHost, lacHost = "culvert-demo-lns", "culvert-demo-lac"
	lnsAddr, lacAddr = "192.0.2.1", "192.0.2.2"
)

const lnsConfig = `# Whom we know, and which addresses they get
pool create pool_name=home addresses=10.9.0.0/24 reserved=10.9.0.1
user create user_name=alice user_password=wonderland
ppp profile modify profile_name=default local_ipaddr=10.9.0.1 ip_pool_name=home
# Which LACs may connect: those that know the secret
tunnel profile modify profile_name=default secret=rabbit auth_mode=challenge
`

const lacConfig = `tunnel create tunnel_name=office dest_ipaddr=192.0.2.1 secret=rabbit persist=yes
session create tunnel_name=office session_name=alice user_name=alice user_password=wonderland
`

// A stage is where the story is told: a folder, two hosts and what runs there.
type stage struct {
	ctx       context.Context
	out       io.Writer
	dataplane string
	dir       string // of the sockets and files
	bin       string // of the programs
	step      int
	daemons   []*exec.Cmd
}

// tell sets the stage, tells the story, and clears the stage again.
func tell(ctx context.Context, out io.Writer, dataplane string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "culvert-demo-")
	if err != nil {
		return err
	}
	s := &stage{ctx: ctx, out: out, dataplane: dataplane, dir: dir, bin: filepath.Dir(self)}
	defer func() {
		if err != nil {
			s.printLogs()
		}
		s.clear()
	}()
	for _, scene := range []func() error{
		s.hosts, s.start, s.session, s.interfaces, s.traffic, s.counters, s.end,
	} {
		if err := scene(); err != nil {
			return err
		}
	}
	return nil
}

// say begins a scene.
func (s *stage) say(title, format string, args ...any) {
	s.step++
	fmt.Fprintf(s.out, "\n== %d. %s\n%s\n\n", s.step, title, fmt.Sprintf(format, args...))
}

// hosts makes two network namespaces with a cable between them.
func (s *stage) hosts() error {
	s.say("Two hosts", "Two network namespaces stand for an LNS (%s) and a LAC (%s),\n"+
		"with a virtual cable between them.", lnsAddr, lacAddr)
	return s.show(
		"ip netns add "+lnsHost,
		"ip netns add "+lacHost,
		"ip link add cable netns "+lnsHost+" type veth peer name cable netns "+lacHost,
		"ip -n "+lnsHost+" address add "+lnsAddr+"/24 dev cable",
		"ip -n "+lacHost+" address add "+lacAddr+"/24 dev cable",
		"ip -n "+lnsHost+" link set cable up",
		"ip -n "+lacHost+" link set cable up",
		"ip -n "+lnsHost+" link set lo up",
		"ip -n "+lacHost+" link set lo up",
	)
}

// start writes the configurations and starts both daemons.
func (s *stage) start() error {
	s.say("Two daemons", "culvertd runs on each, over the data plane %q. The LNS knows a user and\n"+
		"has a pool of addresses; the LAC is a client with one tunnel and one session.", s.dataplane)
	for _, d := range []struct{ host, name, config string }{
		{lnsHost, "lns", lnsConfig}, {lacHost, "lac", lacConfig},
	} {
		file := s.file(d.name + ".conf")
		if err := os.WriteFile(file, []byte(d.config), 0o600); err != nil {
			return err
		}
		fmt.Fprintf(s.out, "%s.conf:\n%s\n", d.name, indent(d.config))
		if err := s.daemon(d.host, d.name, file); err != nil {
			return err
		}
	}
	return nil
}

// daemon starts culvertd on a host.
func (s *stage) daemon(host, name, config string) error {
	log, err := os.Create(s.file(name + ".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	args := []string{"netns", "exec", host, s.program("culvertd"), "--config", config,
		"--socket", s.file(name + ".sock"), "--state", s.file(name + ".state"),
		"--dataplane", s.dataplane, "--foreground"}
	cmd := exec.Command("ip", args...)
	cmd.Stdout, cmd.Stderr = log, log
	s.command("ip", args...)
	if err := cmd.Start(); err != nil {
		return err
	}
	s.daemons = append(s.daemons, cmd)
	return s.wait(name+" to answer", func() bool {
		return exec.Command(s.program("l2tpconfig"), "--socket", s.file(name+".sock"), "system", "show").Run() == nil
	})
}

// session waits for the session and shows what the daemons say of it.
func (s *stage) session() error {
	s.say("A session", "The LAC sends SCCRQ; challenges and responses prove that both ends know\n"+
		"the tunnel's secret. ICRQ, ICRP and ICCN make the call. PPP authenticates alice by\n"+
		"MS-CHAPv2 and gives her an address.")
	began := time.Now()
	err := s.wait("the session", func() bool { return s.state("lac") == "up" && s.state("lns") == "up" })
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "Up %d ms after the LAC's daemon answered.\n\n", time.Since(began).Milliseconds())
	for _, line := range []string{"lns tunnel list", "lns session list",
		"lac session show tunnel_name=office session_name=alice"} {
		if err := s.l2tpconfig(line); err != nil {
			return err
		}
	}
	return nil
}

// interfaces shows the kernel's side.
func (s *stage) interfaces() error {
	if s.dataplane == "kernel" {
		s.say("What the kernel has", "A tunnel, a session, and a ppp interface with the name that we gave it.\n"+
			"No data packet passes through culvertd.")
		if err := s.inspect(); err != nil {
			return err
		}
	} else {
		s.say("What the kernel has", "One TUN device for all sessions; culvertd does the framing.")
	}
	return s.show(
		"ip -n "+lacHost+" -d -br link show "+s.field("lac", "interface"),
		"ip -n "+lacHost+" -br address show "+s.field("lac", "interface"),
		"ip -n "+lacHost+" route",
	)
}

// traffic crosses the session.
func (s *stage) traffic() error {
	s.say("Traffic", "The LAC pings the LNS through the session, and 20 MB go each way by TCP.\n"+
		"Each end prints the SHA-256 of what it sent or received.")
	if err := s.show("ip netns exec " + lacHost + " ping -c 3 -i 0.2 10.9.0.1"); err != nil {
		return err
	}
	lac := s.field("lac", "ppp.local_ipv4")
	for _, way := range []struct{ from, to, addr string }{
		{lacHost, lnsHost, "10.9.0.1"}, {lnsHost, lacHost, lac},
	} {
		if err := s.transfer(way.from, way.to, way.addr); err != nil {
			return err
		}
	}
	return nil
}

// counters shows that both ends counted the same.
func (s *stage) counters() error {
	s.say("Counters", "What the LAC's daemon reports of the session, and what the kernel counts on\n"+
		"its interface.")
	if err := s.l2tpconfig("lac session show tunnel_name=office session_name=alice", "counters"); err != nil {
		return err
	}
	if err := s.show("ip -n " + lacHost + " -s link show " + s.field("lac", "interface")); err != nil {
		return err
	}
	if s.dataplane != "kernel" {
		return nil
	}
	fmt.Fprintln(s.out, "\nThe l2tp layer counts its own headers, and the control messages of PPP:")
	return s.inspect()
}

// end stops the LAC and shows that nothing is left.
func (s *stage) end() error {
	s.say("The end", "The LAC's daemon is told to stop: it terminates PPP, sends CDN and StopCCN,\n"+
		"and leaves nothing in the kernel.")
	lac := s.daemons[1]
	if err := lac.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := lac.Wait(); err != nil {
		return fmt.Errorf("the LAC's daemon: %w", err)
	}
	if err := s.wait("the LNS to forget the tunnel", func() bool { return s.state("lns") == "" }); err != nil {
		return err
	}
	if err := s.show("ip -n " + lacHost + " -br link"); err != nil {
		return err
	}
	if err := s.l2tpconfig("lns tunnel list"); err != nil {
		return err
	}
	log, err := os.ReadFile(s.file("lns.log"))
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "The LNS's log:\n%s\nDone.\n", indent(string(log)))
	return nil
}

// inspect prints the LAC's kernel objects by the programs' own netlink code.
func (s *stage) inspect() error {
	return s.show("ip netns exec " + lacHost + " " + s.program("culvert-demo") + " inspect")
}

// state is the state of the first session of a daemon, or nothing.
func (s *stage) state(name string) string { return s.field(name, "state") }

// field is a value of the status of a daemon's first session: "state", "ppp.mtu".
func (s *stage) field(name, path string) string {
	out, err := exec.Command(s.program("l2tpconfig"), "--socket", s.file(name+".sock"),
		"--output", "json", "session", "list").Output()
	if err != nil {
		return ""
	}
	var sessions []map[string]any
	if json.Unmarshal(out, &sessions) != nil || len(sessions) == 0 {
		return ""
	}
	var value any = sessions[0]["status"]
	for key := range strings.SplitSeq(path, ".") {
		m, ok := value.(map[string]any)
		if !ok {
			return ""
		}
		value = m[key]
	}
	text, _ := value.(string)
	return text
}
