package soak

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"culvert/api"
	"culvert/test/daemon"
	"culvert/test/lab"
)

// lengthVariable says for how long to soak, as "20m".
const lengthVariable = "CULVERT_TEST_SOAK"

// A form is one of the two soaks.
type form struct {
	plane string
	base  int // sessions that stay
	calls int // sessions of the LAC that come and go in each cycle

	tunnels int // of the churn
	most    int // sessions of it at once while the speed is measured
	burst   time.Duration
	churn   time.Duration // of a cycle of a short soak
	long    time.Duration // and of a long one
	warm    float64       // sessions after which caches are full: events, the flight recorder

	// Of a thousand packets so many are lost each way. More would leave nothing to do: each
	// loss stops its tunnel for a second (RFC 2661, 5.8), and a tunnel has hundreds
	// of messages a second.
	lost int
	lose func(s *soak)

	// How soon the LNS finds that a peer has vanished, as parameters.
	echoes, hellos string

	// What happens in the cycles of a short soak, and in turn in those of a long one.
	short, turns []disturbance
}

// kernelForm has the kernel's data plane.
var kernelForm = form{
	// 25 seconds: peers that are emulated, and an LNS that is killed, may be silent for some.
	echoes: "lcp_echo_interval=3 lcp_echo_failure_count=6", hellos: "hello_timeout=3 max_retries=4",
	plane: "kernel", base: 60, calls: 10, tunnels: 16, lost: 5, most: 2000, burst: 8 * time.Second,
	churn: 8 * time.Second, long: 30 * time.Second, warm: 6000,
	lose: func(s *soak) {
		for _, ns := range []*lab.NetNS{s.lnsNS, s.lacNS} {
			ns.Netem("eth0", "delay", "2ms", "loss", fmt.Sprintf("%g%%", float64(s.form.lost)/10),
				"reorder", "25%", "50%", "duplicate", "1%")
		}
	},
	short: []disturbance{calm, kill, vanish, killBoth},
	// A process must live for long enough to be judged.
	turns: []disturbance{calm, vanish, freeze, reload, calm, vanish, freeze, reload, kill, killBoth},
}

// nativeForm has no data plane.
var nativeForm = form{
	// 10 seconds: a message that is lost three times in a row is one of 100 million.
	echoes: "lcp_echo_interval=2 lcp_echo_failure_count=4", hellos: "hello_timeout=3 max_retries=2",
	plane: "null", base: 200, calls: 50, tunnels: 32, lost: 1, most: 30000, burst: 2 * time.Second,
	churn: 3 * time.Second, long: 30 * time.Second, warm: 8000,
	lose: func(s *soak) {
		for _, ns := range []*lab.NetNS{s.lnsNS, s.lacNS} {
			ns.Lose("eth0", s.form.lost)
		}
	},
	short: []disturbance{vanish, freeze, reload},
	turns: []disturbance{calm, vanish, freeze, reload},
}

// TestSoak is the soak that make soak runs.
func TestSoak(t *testing.T) {
	lab.RequireKernel(t)
	run(t, &kernelForm)
}

// TestNativeSoak has far more sessions, and less that can be left behind.
func TestNativeSoak(t *testing.T) {
	lab.RequireRoot(t)
	lab.RequireProgram(t, "nft")
	run(t, &nativeForm)
}

// A soak is under way.
type soak struct {
	t      *testing.T
	form   *form
	length time.Duration // 0: it is short
	random *rand.Rand
	began  time.Time

	lnsNS, lacNS *lab.NetNS
	lns, lac     *daemon.Daemon
	base         *load

	clean      lab.State               // of the LNS's namespace, before it was started
	objects    lab.State               // and when it is quiet
	members    map[string]*api.Session // those that stay
	rest       observation             // descriptors when it is quiet
	goroutines float64                 // likewise
	found      finding                 // the last time that it was

	rate      float64     // of the churn
	churns    []time.Time // when each began
	life      int         // which process the LNS is
	earlier   float64     // sessions set up in earlier lives
	forced    float64     // how often memory had been given back when the last session went
	givenBack float64     // sessions set up in this life when it was last seen to be
	samples   []sample
}

// run soaks.
func run(t *testing.T, f *form) {
	s := &soak{t: t, form: f, began: time.Now()}
	if text := os.Getenv(lengthVariable); text != "" {
		var err error
		if s.length, err = time.ParseDuration(text); err != nil {
			t.Fatalf("%s: %v", lengthVariable, err)
		}
	}
	if _, err := os.Stat("/dev/shm"); err == nil {
		t.Setenv("TMPDIR", "/dev/shm") // where the state of sessions belongs: on a tmpfs
	}
	seed := uint64(time.Now().UnixNano())
	s.random = rand.New(rand.NewPCG(seed, 0))
	defer s.explain()
	s.setScene()
	t.Logf("moments are those of seed %d", seed)
	s.measure()
	f.lose(s)
	for i := 0; s.goesOn(i); i++ {
		s.cycle(i)
	}
	s.judge()
	s.end()
}

// thorough reports whether there is time to wait for all that goes by itself.
func (s *soak) thorough() bool { return s.length > 0 }

// goesOn reports whether there is another cycle.
func (s *soak) goesOn(i int) bool {
	if s.thorough() {
		return time.Since(s.began) < s.length
	}
	return i < len(s.form.short)
}

// measure finds how fast sessions can come and go here, nothing being lost.
func (s *soak) measure() {
	s.t.Helper()
	r := s.startChurn(0, s.form.burst).report(s.form.burst)
	if r.SetUp.Rate == 0 {
		s.t.Fatalf("no session came up: %+v", r)
	}
	s.rate = r.SetUp.Rate / 2
	s.quiet()
	s.take()
	s.say("the most is %.0f sessions a second; %d came up, %d failed", r.SetUp.Rate, r.Sessions.CameUp, r.Sessions.Failed)
}

// cycle has sessions come and go, disturbs that, and sees what is left.
func (s *soak) cycle(i int) {
	s.t.Helper()
	length, turns := s.form.churn, s.form.short
	if s.thorough() {
		length, turns = s.form.long, s.form.turns
	}
	d := turns[i%len(turns)]
	s.call() // which takes as long as it takes, and the churn does not wait for anybody
	c := s.startChurn(s.rate, length)
	until := time.Now().Add(length)
	c = d.do(s, c, until)
	if c == nil {
		s.quiet()
		s.take()
		s.say("%s", d.name)
		return
	}
	r := c.report(length)
	s.quiet()
	s.take()
	s.say("%s; %.0f a second; %d failed, %d dropped", d.name, float64(r.Sessions.CameUp)/length.Seconds(),
		r.Sessions.Failed, r.Sessions.Dropped)
	if r.Sessions.Failed > r.Sessions.CameUp {
		s.t.Errorf("%s: of %d calls %d failed, want most of them to come up: %+v", d.name, r.Sessions.Placed,
			r.Sessions.Failed, r.Failures)
	}
}

// take takes a sample.
func (s *soak) take() {
	s.t.Helper()
	s.samples = append(s.samples, s.sample())
}

// say tells of the last sample.
func (s *soak) say(format string, args ...any) {
	s.t.Helper()
	s.t.Logf("%4.0f s  %v  %s", time.Since(s.began).Seconds(), s.samples[len(s.samples)-1], fmt.Sprintf(format, args...))
}

// quiet waits until nothing is left of what came and went, and checks that what stays
// is as it was.
func (s *soak) quiet() {
	s.t.Helper()
	s.waitResting()
	s.forced = s.lns.Metrics()[metricForced]
	s.checkMembers()
	lab.Wait(s.t, wait, "descriptors to be closed", s.openFiles)
	lab.Wait(s.t, wait, "goroutines to end", func() error {
		if s.found.goroutines = s.lns.Metrics()[metricGoroutines]; s.found.goroutines > s.goroutines+asking {
			return fmt.Errorf("there are %.0f, before %.0f and at most %d of who asks",
				s.found.goroutines, s.goroutines, asking)
		}
		return nil
	})
	lab.Wait(s.t, wait, "the kernel's objects to be as before", func() error {
		if left := s.lnsNS.Beyond(s.objects); left != "" {
			return fmt.Errorf("\n%s", left)
		}
		return nil
	})
}

// asking is how many goroutines there may be for the request that counts them: those of its
// collectors, of which some are done when the one that counts begins, and of the last
// request's connection.
const asking = 4

// lingerTime is how long a tunnel that has ended keeps its socket, to acknowledge what its
// peer repeats (RFC 2661, 5.7), with something to spare.
const lingerTime = 40 * time.Second

// openFiles says which process has not the descriptors that it had before, or nil. A short
// soak does not wait for tunnels that linger.
func (s *soak) openFiles() error {
	lingering := 0
	for _, began := range s.churns {
		if !s.thorough() && time.Since(began) < s.form.churn+lingerTime {
			lingering += s.form.tunnels
		}
	}
	now := s.observe()
	if !now.lns.within(s.rest.lns, lingering) || !now.lnsKeeper.within(s.rest.lnsKeeper, lingering) ||
		!now.lac.within(s.rest.lac, 0) || !now.lacKeeper.within(s.rest.lacKeeper, 0) {
		return fmt.Errorf("there are %+v, want %+v, and for the LNS at most %d sockets more", now, s.rest, lingering)
	}
	s.found.files = now.lns
	return nil
}

// What may grow by how much, in bytes.
var (
	liveAllowance     = allowance{each: 1, once: 2 << 20}
	residentAllowance = allowance{each: 4, once: 8 << 20}
	diskAllowance     = allowance{each: 1, once: 8 << 20}
)

// mostThreads is how many the workers and the run time have at most. They never end: the
// run time keeps what it once needed.
const mostThreads = 512 + 64

// judge says whether anything has grown.
func (s *soak) judge() {
	s.t.Helper()
	for _, of := range []struct {
		what    string
		allowed allowance
		value   func(x sample) float64
		counts  func(x sample) bool
	}{
		{"heap in use", liveAllowance, func(x sample) float64 { return x.live }, always},
		{"resident memory", residentAllowance, func(x sample) float64 { return x.resident }, isReturned},
		{"files", diskAllowance, func(x sample) float64 { return x.disk }, isReturned},
	} {
		var readings []reading
		for _, x := range s.samples {
			if x.sessions >= s.form.warm && of.counts(x) {
				readings = append(readings, reading{x.life, x.sessions, of.value(x)})
			}
		}
		g := growthOf(readings)
		s.t.Logf("%-16s %v; allowed are %v B and %v KiB once", of.what, g, of.allowed.each, of.allowed.once/1024)
		if g.exceeds(of.allowed) {
			s.t.Errorf("%s grows: %v", of.what, g)
		}
	}
	for _, x := range s.samples {
		if x.threads > mostThreads {
			s.t.Errorf("%.0f threads, want at most %d", x.threads, mostThreads)
		}
	}
}

func always(sample) bool { return true }

func isReturned(x sample) bool { return x.returned }

// end ends all, and checks that nothing is left and that what stayed did so.
func (s *soak) end() {
	t := s.t
	t.Helper()
	if s.lns.System().Statistics.Retransmits == 0 {
		t.Error("nothing was sent again: is the path lossy?")
	}
	daemon.WantStayed(t, s.base.stop(), s.form.base)
	if n := s.lac.System().Statistics.TunnelsLost; n != 0 {
		t.Errorf("the LAC has lost %d tunnels", n)
	}
	if err := s.lac.Stop(); err != nil {
		t.Error(err)
	}
	s.lns.WaitGone(wait)
	s.lnsNS.CheckLeaks(t, s.clean)
	if err := s.lns.Stop(); err != nil {
		t.Error(err)
	}
}
