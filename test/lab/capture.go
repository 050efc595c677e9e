package lab

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
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
	// A slot of the buffer is as large as the longest packet taken: with no limit
	// to that there would be few.
	args := []string{"-i", dev, "-n", "-U", "-s", "9216", "-Z", "root",
		"--immediate-mode", "-B", "32768", "-w", file}
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
	c.settle()
	if err := c.daemon.Stop(); err != nil {
		c.t.Errorf("stopping tcpdump: %v", err)
	}
	match := c.daemon.WaitOutput(time.Second, `(\d+) packets? dropped by kernel\s*$`)
	if match[1] != "0" {
		c.t.Errorf("capturing to %s: %s packets dropped by the kernel", c.File, match[1])
	}
	return c.File
}

// settleLimit is how long tcpdump may take to catch up.
const settleLimit = 5 * time.Second

// progress is what tcpdump says when asked.
var progress = regexp.MustCompile(
	`(\d+) packets? captured, (\d+) packets? received by filter, (\d+) packets? dropped`)

// settle waits until tcpdump has written what it has received, which it would
// leave where it is when it is told to end. On a busy link that never is so.
func (c *Capture) settle() {
	c.t.Helper()
	for end := time.Now().Add(settleLimit); time.Now().Before(end) && !c.settled(); {
		time.Sleep(pollInterval)
	}
}

// settled asks tcpdump how far it is.
func (c *Capture) settled() bool {
	c.t.Helper()
	said := func() [][]string { return progress.FindAllStringSubmatch(c.daemon.Output(), -1) }
	before := len(said())
	c.daemon.Signal(syscall.SIGUSR1)
	Wait(c.t, settleLimit, "tcpdump to say how far it is", func() error {
		if len(said()) == before && !c.daemon.hasEnded() {
			return errors.New("it says nothing")
		}
		return nil
	})
	if c.daemon.hasEnded() {
		return true
	}
	last := said()[len(said())-1]
	captured, _ := strconv.Atoi(last[1])
	received, _ := strconv.Atoi(last[2])
	dropped, _ := strconv.Atoi(last[3])
	return captured+dropped >= received
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
