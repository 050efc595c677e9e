package peers

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"culvert/test/lab"
)

// upLimit is how long a peer may take for a step: the machine may be emulated.
const upLimit = 30 * time.Second

// XL2TPDConfig says how xl2tpd is to run.
type XL2TPDConfig struct {
	// LNS is the server to call. When it is not valid, xl2tpd is the server.
	LNS netip.Addr

	// More are further addresses of servers. xl2tpd places one call to each, in a tunnel of its own, and
	// the kernel tells xl2tpd's tunnels apart by their addresses.
	More []netip.Addr

	// Secret of the tunnel, for challenges both ways. Empty means none. xl2tpd
	// takes the rest of its file's line, but for what follows # or ;.
	Secret string

	// Auth is what the server asks for, or the one that the client agrees to.
	Auth Auth

	// User is the client, or whom the server knows.
	User User

	// Local and Pool are the server's address, and what it gives to clients: a
	// range such as 10.9.0.10-10.9.0.20.
	Local netip.Addr
	Pool  string

	// Options are more lines for pppd.
	Options []string

	// Quiet logs little, where speed is measured. WaitUp and WaitPPP need the log.
	Quiet bool
}

// An XL2TPD is a running xl2tpd. It starts a pppd for each session, whose data
// the kernel carries.
type XL2TPD struct {
	t      testing.TB
	ns     *lab.NetNS
	dir    string
	calls  int // that it can place or, as a server, 1
	daemon *lab.Daemon
}

// StartXL2TPD starts xl2tpd in the namespace and returns when it listens.
func StartXL2TPD(t testing.TB, ns *lab.NetNS, cfg XL2TPDConfig) *XL2TPD {
	t.Helper()
	lab.RequireProgram(t, "xl2tpd")
	lab.RequireProgram(t, "pppd")
	x := &XL2TPD{t: t, ns: ns, dir: t.TempDir(), calls: 1 + len(cfg.More)}
	for name, content := range cfg.files(x.dir) {
		if err := os.WriteFile(filepath.Join(x.dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// pppd finds these at one place only. Its scripts in the same directory are
	// thereby hidden: they would rewrite the machine's resolv.conf.
	ns.EtcFile("ppp/chap-secrets", cfg.pppSecrets(), 0o600)
	ns.EtcFile("ppp/pap-secrets", cfg.pppSecrets(), 0o600)
	t.Cleanup(x.logPPP)
	x.daemon = ns.StartDaemon(t, "xl2tpd", "-D", "-c", x.file(confFile), "-s", x.file(secretsFile),
		"-p", x.file("pid"), "-C", x.file("control"))
	x.daemon.WaitOutput(upLimit, `Listening on IP address`)
	return x
}

func (x *XL2TPD) file(name string) string { return filepath.Join(x.dir, name) }

func (x *XL2TPD) logPPP() {
	if !x.t.Failed() {
		return
	}
	for i := range x.calls {
		x.t.Logf("pppd in %s, call %d, said:\n%s", x.ns.Name, i, x.PPPLog(i))
	}
}

// pppLog returns what the pppd processes of a server, or of a client's first call, have said so far.
func (x *XL2TPD) pppLog() string { return x.PPPLog(0) }

// PPPLog returns what the pppd processes of one call of a client have said so far.
func (x *XL2TPD) PPPLog(call int) string {
	b, err := os.ReadFile(x.file(numbered(pppLogFile, call)))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		x.t.Errorf("reading the log of pppd: %v", err)
	}
	return string(b)
}

// PID is the process's identifier. Each pppd is a child of it.
func (x *XL2TPD) PID() int { return x.daemon.Cmd.Process.Pid }

// Dial places the call of a client, the first if it has several.
func (x *XL2TPD) Dial() {
	x.t.Helper()
	x.DialCall(0)
}

// DialCall places one of the calls of a client: that to LNS is 0, those to More follow.
func (x *XL2TPD) DialCall(call int) {
	x.t.Helper()
	x.control("c " + lacName(call))
}

// HangUp closes the tunnel last established, from xl2tpd's end.
func (x *XL2TPD) HangUp() {
	x.t.Helper()
	all := tunnelEstablished.FindAllStringSubmatch(x.daemon.Output(), -1)
	if len(all) == 0 {
		x.t.Fatal("hanging up at xl2tpd: no tunnel was established")
	}
	x.control("d " + all[len(all)-1][1])
}

var tunnelEstablished = regexp.MustCompile(`Connection established to .*Local: (\d+)`)

// control writes a command to xl2tpd's pipe, and returns when it was taken: of two that are in the
// pipe at once xl2tpd would make one.
func (x *XL2TPD) control(command string) {
	x.t.Helper()
	answer := x.file("answer") // xl2tpd removes it when it has written there
	if err := os.WriteFile(answer, nil, 0o600); err != nil {
		x.t.Fatal(err)
	}
	f, err := os.OpenFile(x.file("control"), os.O_WRONLY, 0)
	if err != nil {
		x.t.Fatalf("commanding xl2tpd: %v", err)
	}
	defer f.Close()
	if _, err := fmt.Fprintf(f, "@%s %s\n", answer, command); err != nil {
		x.t.Fatalf("commanding xl2tpd: %v", err)
	}
	lab.Wait(x.t, upLimit, "xl2tpd to take "+command, func() error {
		if _, err := os.Stat(answer); !errors.Is(err, os.ErrNotExist) {
			return errors.New("it has not answered")
		}
		return nil
	})
}

// A Link is a PPP interface of a peer with its IPv4 addresses.
type Link struct {
	Interface   string
	Local, Peer netip.Addr
}

var (
	pppInterface = regexp.MustCompile(`Using interface (\S+)`)
	pppLocal     = regexp.MustCompile(`(?m)^local  IP address (\S+)`)
	pppPeer      = regexp.MustCompile(`(?m)^remote IP address (\S+)`)
)

// WaitUp waits until pppd has brought IPv4 up as often as count says, and returns the last link.
func (x *XL2TPD) WaitUp(count int) Link {
	x.t.Helper()
	var l Link
	lab.Wait(x.t, upLimit, fmt.Sprintf("link %d of pppd", count), func() error {
		text := x.pppLog()
		peers := pppPeer.FindAllStringSubmatch(text, -1)
		if len(peers) < count {
			return fmt.Errorf("%d links, last said: %s", len(peers), lastLine(text))
		}
		var err error
		l, err = lastLink(text)
		return err
	})
	return l
}

// LinkOf is the link that one call of a client has brought up last, with an error if it has none.
func (x *XL2TPD) LinkOf(call int) (Link, error) {
	x.t.Helper()
	return lastLink(x.PPPLog(call))
}

func lastLink(text string) (l Link, err error) {
	last := func(re *regexp.Regexp) string {
		all := re.FindAllStringSubmatch(text, -1)
		if len(all) == 0 {
			return ""
		}
		return all[len(all)-1][1]
	}
	l.Interface = last(pppInterface)
	var err1, err2 error
	l.Local, err1 = netip.ParseAddr(last(pppLocal))
	l.Peer, err2 = netip.ParseAddr(last(pppPeer))
	return l, errors.Join(err1, err2)
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// WaitPPP waits for a line of pppd.
func (x *XL2TPD) WaitPPP(pattern string) {
	x.t.Helper()
	waitLog(x.t, "pppd", x.pppLog, pattern)
}

// waitLog waits for a line that matches pattern in what a program has logged.
func waitLog(t testing.TB, who string, read func() string, pattern string) {
	t.Helper()
	re := regexp.MustCompile(pattern)
	lab.Wait(t, upLimit, who+" to say "+pattern, func() error {
		if text := read(); !re.MatchString(text) {
			return errors.New("last said: " + lastLine(text))
		}
		return nil
	})
}

// WaitDown waits until no pppd has an interface any more.
func (x *XL2TPD) WaitDown() {
	x.t.Helper()
	lab.Wait(x.t, upLimit, "pppd's interfaces to go", func() error {
		if left := x.ns.Run("ip", "-br", "link", "show", "type", "ppp"); left != "" {
			return errors.New("left: " + left)
		}
		return nil
	})
}

// Stop ends the daemon, which takes its tunnels down, and waits for it.
func (x *XL2TPD) Stop() {
	x.t.Helper()
	if err := x.daemon.Stop(); err != nil {
		x.t.Errorf("stopping xl2tpd: %v", err)
	}
}
