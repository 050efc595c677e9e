package main

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"culvert/internal/bench"
	"culvert/test/daemon"
	"culvert/test/lab"
)

// A client is culvert-bench in a namespace.
type client struct {
	*daemon.Load

	t testing.TB
}

// startClient starts culvert-bench against the LNS. It runs until it is stopped.
func startClient(t testing.TB, ns *lab.NetNS, args ...string) *client {
	t.Helper()
	args = append([]string{
		"--user", "user%d", "--auth", "chap", "--progress", "1s",
		"--duration", "24h", "--connect-timeout", "5m", "--hello", "0",
	}, append(args, lnsAddr.String())...)
	return &client{daemon.StartLoad(t, ns, password, args...), t}
}

// A state is what a line of culvert-bench's progress says.
type state struct{ up, failed, packets int }

var (
	upWords     = regexp.MustCompile(`(\d+)/\d+ up`)
	failedWords = regexp.MustCompile(`(\d+) failed`)
	packetWords = regexp.MustCompile(`(\d+) packets/s`)
)

// states reads progress.
func states(output string) []state {
	var all []state
	for line := range strings.Lines(output) {
		if upWords.MatchString(line) {
			all = append(all, state{number(upWords, line), number(failedWords, line), number(packetWords, line)})
		}
	}
	return all
}

func number(words *regexp.Regexp, line string) int {
	m := words.FindStringSubmatch(line)
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(m[1])
	return n
}

// last is what the last line of progress says; nothing, if there is none yet.
func (c *client) last() state {
	all := states(c.Output())
	if len(all) == 0 {
		return state{}
	}
	return all[len(all)-1]
}

// waitUp waits until as many sessions as asked for are up or have failed. It reports
// false when they are not within the limit.
func (c *client) waitUp(sessions int, limit time.Duration) bool {
	c.t.Helper()
	for until := time.Now().Add(limit); time.Now().Before(until); time.Sleep(200 * time.Millisecond) {
		if last := c.last(); last.up+last.failed >= sessions {
			return true
		}
		if c.Cmd.ProcessState != nil {
			c.t.Fatalf("culvert-bench ended: %s", c.Output())
		}
	}
	return false
}

// packets is how many packets a second came back in the next so many seconds.
func (c *client) packets(seconds int) float64 {
	c.t.Helper()
	before, sum := len(states(c.Output())), 0.0
	var all []state
	lab.Wait(c.t, time.Duration(10*seconds)*time.Second, "progress of culvert-bench", func() error {
		if all = states(c.Output()); len(all) < before+seconds {
			return os.ErrDeadlineExceeded
		}
		return nil
	})
	for _, s := range all[before : before+seconds] {
		sum += float64(s.packets)
	}
	return sum / float64(seconds)
}

// stop ends it politely and returns its report.
func (c *client) stop() *bench.Report { return c.End(3 * time.Minute) }

// phase is a phase of the report.
func phase(r *bench.Report, name string) bench.Times {
	for _, p := range r.Phases {
		if p.Name == name {
			return p
		}
	}
	return bench.Times{}
}
