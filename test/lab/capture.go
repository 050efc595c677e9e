package lab

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A Capture is a running tcpdump.
type Capture struct {
	File string // in the test's artifact directory

	t      testing.TB
	daemon *Daemon
}

// Capture starts to capture what passes the interface, and returns when the
// capture is on. The filter is tcpdump's; an empty one takes all.
func (n *NetNS) Capture(t testing.TB, dev, filter string) *Capture {
	t.Helper()
	RequireProgram(t, "tcpdump")
	file := filepath.Join(t.ArtifactDir(), fmt.Sprintf("%s-%s.pcap", n.Name, dev))
	args := []string{"-i", dev, "-n", "-U", "-s", "0", "-Z", "root",
		"--immediate-mode", "-B", "16384", "-w", file}
	if filter != "" {
		args = append(args, filter)
	}
	d := n.StartDaemon(t, "tcpdump", args...)
	d.WaitOutput(20*time.Second, `listening on`)
	return &Capture{File: file, t: t, daemon: d}
}

// Stop ends the capture and returns the name of its file. The test fails when
// packets were lost on the way to the file.
func (c *Capture) Stop() string {
	c.t.Helper()
	if err := c.daemon.Stop(); err != nil {
		c.t.Errorf("stopping tcpdump: %v", err)
	}
	match := c.daemon.WaitOutput(time.Second, `(\d+) packets? dropped by kernel`)
	if match[1] != "0" {
		c.t.Errorf("capturing to %s: %s packets dropped by the kernel", c.File, match[1])
	}
	return c.File
}

// expert is what tshark must not find: packets that its dissectors cannot
// read, or that they hold to be errors (severity 0x800000). Warnings pass:
// lost packets of a test's own TCP stream are among them.
const expert = "(_ws.malformed or _ws.expert.severity >= 0x800000)"

// CheckCapture reads the capture by tshark's dissectors of L2TP and PPP. The
// test fails when one of them finds a malformed packet or an error, or when
// there is no L2TP packet at all.
func CheckCapture(t testing.TB, file string) {
	t.Helper()
	if found := Tshark(t, file, expert); found != "" {
		t.Errorf("tshark objects to packets of %s:\n%s\n%s", file, found,
			tshark(t, file, expert, "-V"))
	}
	if Tshark(t, file, "l2tp", "-c", "20") == "" {
		t.Errorf("%s: no L2TP packet", file)
	}
}

// Tshark returns tshark's lines about those packets of the capture that pass
// its display filter. Arguments add to its command line.
func Tshark(t testing.TB, file, filter string, args ...string) string {
	t.Helper()
	return tshark(t, file, filter, args...)
}

func tshark(t testing.TB, file, filter string, args ...string) string {
	t.Helper()
	RequireProgram(t, "tshark")
	args = append([]string{"-n", "-r", file, "-Y", filter}, args...)
	return strings.TrimSpace(mustRun(t, exec.Command("tshark", args...)))
}
