package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"culvert/test/lab"
)

// What is measured comes from these variables, which make sets.
const (
	fileVariable     = "CULVERT_TEST_BENCH"          // where results go; without it nothing is measured
	sizesVariable    = "CULVERT_TEST_BENCH_SIZES"    // sessions, with commas
	largeVariable    = "CULVERT_TEST_BENCH_LARGE"    // sessions that only ours and the bare calls are asked for
	subjectsVariable = "CULVERT_TEST_BENCH_SUBJECTS" // words in names of subjects, with commas; all without it
	roundsVariable   = "CULVERT_TEST_BENCH_ROUNDS"   // how often; the median counts
	flowsVariable    = "CULVERT_TEST_BENCH_FLOWS"    // 0: no packets through sessions
	limitVariable    = "CULVERT_TEST_BENCH_LIMIT"    // how long one set-up may take
)

// TestMeasure measures all subjects, one after the other, in one machine.
func TestMeasure(t *testing.T) {
	file := os.Getenv(fileVariable)
	if file == "" {
		t.Skipf("%s does not say where results go (\"make bench\" does)", fileVariable)
	}
	lab.RequireTUN(t)
	m := &measuring{file: file, limit: 4 * time.Minute}
	if text := os.Getenv(limitVariable); text != "" {
		var err error
		if m.limit, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	m.results.Conditions = conditions()
	began := time.Now()
	if wants(Bare) || wants(KernelPlane) {
		// What is the first of its kind in a machine is slow: it has nothing in its caches.
		t.Run("warm-up", func(t *testing.T) { measureBare(t, Bare, warmUpSessions, bareWide, m.limit) })
	}
	sizes := numbers(t, os.Getenv(sizesVariable), "200,1000,5000")
	rounds := numbers(t, os.Getenv(roundsVariable), "3")
	if len(rounds) == 0 {
		t.Fatalf("%s: want at least one round", roundsVariable)
	}
	for round := range rounds[0] {
		for _, sessions := range sizes {
			if round == 0 || sessions <= repeatMost {
				m.setUps(t, sessions, lnss)
			} else {
				m.setUps(t, sessions, ours)
			}
		}
		if os.Getenv(flowsVariable) != "0" {
			m.flows(t)
		}
	}
	// The same machine is not as fast at all times: what 20,000 are compared with is
	// measured shortly before and after.
	for _, sessions := range numbers(t, os.Getenv(largeVariable), "20000") {
		m.setUps(t, medium, ours)
		m.setUps(t, sessions, lnss)
		m.setUps(t, medium, ours)
	}
	m.results.Conditions.TookSecond = time.Since(began).Seconds()
	m.save(t)
}

// TestMeasureFew has all subjects measured once, to see that this works: the figures say nothing.
func TestMeasureFew(t *testing.T) {
	lab.RequireKernel(t)
	lab.RequireTUN(t)
	const few = 8
	defer func(d time.Duration) { settleTime = d }(settleTime)
	settleTime = 0
	m := &measuring{file: filepath.Join(t.TempDir(), "results.json"), limit: time.Minute}
	m.results.Conditions = conditions()
	m.setUps(t, few, lnss)
	m.flow(t, &lnss[len(lnss)-1], few, smallPacket)
	r, err := read(m.file)
	if err != nil {
		t.Fatal(err)
	}
	for _, subject := range subjects {
		s := r.setUp(subject, few)
		if s == nil || s.CameUp != few || s.Rate <= 0 || s.P99 <= 0 || s.TearDown <= 0 {
			t.Errorf("%s: %+v", subject, s)
		}
	}
	if f := r.flow(KernelPlane, few, smallPacket); f == nil || f.Rate <= 0 {
		t.Errorf("packets: %+v", f)
	}
}

// repeatMost is how many sessions everybody brings up in every round; more take too long.
const repeatMost = medium

// A measuring is a run of the suite. What it has is written after each measurement, for
// the machine may end before the run does.
type measuring struct {
	results Results
	file    string
	limit   time.Duration
}

func (m *measuring) save(t *testing.T) {
	t.Helper()
	if err := m.results.write(m.file); err != nil {
		t.Fatal(err)
	}
}

// wants reports whether a subject is to be measured.
func wants(name string) bool {
	words := os.Getenv(subjectsVariable)
	if words == "" {
		return true
	}
	return slices.ContainsFunc(strings.Split(words, ","), func(word string) bool {
		return strings.Contains(name, word)
	})
}

func numbers(t *testing.T, text, otherwise string) (all []int) {
	t.Helper()
	if text == "" {
		text = otherwise
	}
	for word := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(word))
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			all = append(all, n)
		}
	}
	return all
}

// bareWide is how wide the bare calls are run: as culvertd.
const bareWide = 128

const warmUpSessions = 200

// warmUp has an LNS work a little, so that its program is in memory, and what it
// needs for having worked at all.
func warmUp(t *testing.T, l lns, lacNS *lab.NetNS, sessions int) {
	t.Helper()
	few := 16
	if sessions >= medium {
		few = 512
	}
	c := startClient(t, lacNS, "--sessions", fmt.Sprint(few))
	if !c.waitUp(few, time.Minute) {
		t.Errorf("not all of %d sessions came up", few)
	}
	c.stop()
	waitGone(t, l, time.Now(), time.Minute)
	l.settle(2 * few)
}

// aloneMost is how many sessions one thread is asked for.
const aloneMost = 200

// setUps measures the set-up of so many sessions by all subjects.
func (m *measuring) setUps(t *testing.T, sessions int, all []subject) {
	if sessions <= aloneMost && wants(BareAlone) {
		m.setUp(t, BareAlone, sessions, func(t *testing.T) SetUp {
			return measureBare(t, BareAlone, sessions, 1, m.limit)
		})
	}
	if wants(Bare) {
		m.setUp(t, Bare, sessions, func(t *testing.T) SetUp {
			return measureBare(t, Bare, sessions, bareWide, m.limit)
		})
	}
	for _, s := range all {
		if sessions <= s.most && wants(s.name) {
			m.setUp(t, s.name, sessions, func(t *testing.T) SetUp { return s.measure(t, sessions, m.limit) })
		}
	}
}

// setUp runs one measurement as a test of its own, so that nothing of it is left for
// the next.
func (m *measuring) setUp(t *testing.T, name string, sessions int, measure func(t *testing.T) SetUp) {
	if name == XL2TPD && m.results.setUp(name, sessions) != nil {
		return // minutes each
	}
	t.Run(fmt.Sprintf("%s/%d sessions", name, sessions), func(t *testing.T) {
		s := measure(t)
		m.results.SetUps = append(m.results.SetUps, s)
		m.save(t)
		t.Logf("%+v", s)
	})
}

// measure brings sessions up, and down again.
func (s *subject) measure(t *testing.T, sessions int, limit time.Duration) SetUp {
	t.Helper()
	lnsNS, lacNS := newHosts(t)
	l := s.start(t, lnsNS, sessions)
	warmUp(t, l, lacNS, sessions)
	result := SetUp{Subject: s.name, Sessions: sessions, Wide: s.wide}
	result.Base = residentBytes(l.processes())
	aside, kernel, busy := l.aside(), settledKernelBytes(t), busyTime(t)
	c := startClient(t, lacNS, "--tunnels", fmt.Sprint(tunnels), "--sessions", fmt.Sprint(sessions),
		"--concurrency", fmt.Sprint(s.wide))
	result.Stopped = !c.waitUp(sessions, limit)
	busy = busyTime(t) - busy
	up := float64(max(c.last().up, 1))
	l.settle(int(up))
	result.Daemon = (residentBytes(l.processes()) - result.Base) / up
	result.Aside = (l.aside() - aside) / up
	result.Kernel = (kernelBytes(t) - kernel) / up
	result.Busy = ms(busy) / up
	begin := time.Now()
	r := c.stop()
	result.TearDown = waitGone(t, l, begin, limit)
	if result.TearDown == 0 {
		result.TearDown = r.TearDown.Seconds
	}
	result.CameUp, result.Failed = int(r.Sessions.CameUp), int(r.Sessions.Failed)
	result.Seconds, result.Rate = r.SetUp.Seconds, r.SetUp.Rate
	result.P50, result.P99 = phase(r, "set-up").P50, phase(r, "set-up").P99
	for _, f := range r.Failures {
		t.Logf("failed: %+v", f)
	}
	l.stop()
	return result
}

// settleTime is how long after a set-up memory is read, of who does not say when it has
// given back what is no longer used.
var settleTime = 5 * time.Second

// flows measures packets through each LNS.
func (m *measuring) flows(t *testing.T) {
	for _, s := range lnss {
		if !wants(s.name) || s.name == Forgetful {
			continue // its packets are those of the other one
		}
		for _, sessions := range []int{1, 100} {
			for _, size := range []int{smallPacket, largePacket} {
				m.flow(t, &s, sessions, size)
			}
		}
	}
}

// flow measures packets through so many sessions, as a test of its own.
func (m *measuring) flow(t *testing.T, s *subject, sessions, size int) {
	t.Run(fmt.Sprintf("%s/%d bytes in %d", s.name, size, sessions), func(t *testing.T) {
		f := s.measureFlow(t, sessions, size)
		m.results.Flows = append(m.results.Flows, f)
		m.save(t)
		t.Logf("%+v", f)
	})
}

// underWay is how many packets are under way in all sessions together, about.
const underWay = 64

// flowSeconds is for how long packets are counted.
const flowSeconds = 5

// measureFlow sends packets through sessions, as fast as they come back.
func (s *subject) measureFlow(t *testing.T, sessions, size int) Flow {
	t.Helper()
	lnsNS, lacNS := newHosts(t)
	l := s.start(t, lnsNS, sessions)
	c := startClient(t, lacNS, "--tunnels", fmt.Sprint(min(tunnels, sessions)),
		"--sessions", fmt.Sprint(sessions), "--concurrency", fmt.Sprint(s.wide), "--traffic-sessions", fmt.Sprint(sessions), "--traffic-window", fmt.Sprint(max(underWay/sessions, 1)),
		"--traffic-size", fmt.Sprint(size), "--traffic-target", behind.String())
	if !c.waitUp(sessions, 2*time.Minute) {
		t.Errorf("not all of %d sessions came up", sessions)
	}
	c.packets(1)
	busy := busyTime(t)
	rate := c.packets(flowSeconds)
	busy = busyTime(t) - busy
	r := c.stop()
	l.stop()
	if r.Traffic == nil || r.Traffic.Received == 0 {
		t.Errorf("no packets came back: %+v", r.Traffic)
		return Flow{Subject: s.name, Sessions: sessions, Size: size}
	}
	return Flow{
		Subject: s.name, Sessions: sessions, Size: size, Rate: rate, Megabits: rate * float64(8*size) / 1e6,
		Sent: r.Traffic.Sent, Lost: r.Traffic.Lost, RoundTrip: r.Traffic.Times.P50,
		Busy: float64(busy.Microseconds()) / (rate * flowSeconds),
	}
}

// conditions are what the machine says of itself.
func conditions() Conditions {
	c := Conditions{Began: time.Now().UTC(), Versions: make(map[string]string)}
	c.Kernel = output("uname", "-r")
	memory, _ := os.ReadFile("/proc/meminfo")
	cpu := ""
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.HasPrefix(name, "model name") {
			cpu = strings.TrimSpace(value)
			break
		}
	}
	c.Machine = fmt.Sprintf("%d processors (%s), %.0f MiB", runtime.NumCPU(), cpu,
		field(memory, "MemTotal:")/(1<<20))
	for _, name := range []string{"xl2tpd", "ppp", "l2tpns", "freeradius"} {
		c.Versions[name] = output("dpkg-query", "-W", "-f", "${Version}", name)
	}
	return c
}

func output(name string, args ...string) string {
	b, err := exec.Command(name, args...).Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(b))
}
