package bench

import (
	"encoding/json"
	"io"
	"syscall"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"culvert/ppp"
)

// ReportVersion is the version of a report's JSON form. It changes when a field goes
// or changes its meaning, not when one comes.
const ReportVersion = 1

// A Report is what a run has found. It has no secret in it. Its JSON form is stable.
type Report struct {
	Version     int       `json:"version"`
	Release     string    `json:"release,omitempty"` // of the program
	Target      string    `json:"target"`
	Began       time.Time `json:"began"`
	Seconds     float64   `json:"seconds"`
	Interrupted bool      `json:"interrupted"`

	Settings  Settings  `json:"settings"`
	Tunnels   Tunnels   `json:"tunnels"`
	Sessions  Sessions  `json:"sessions"`
	SetUp     Speed     `json:"set_up"`
	TearDown  Speed     `json:"tear_down"`
	Phases    []Times   `json:"phases"`
	Failures  []Failure `json:"failures"`
	Drops     []Failure `json:"drops"`
	Messages  Messages  `json:"messages"`
	Traffic   *Flows    `json:"traffic,omitempty"`
	Timeline  Timeline  `json:"timeline"`
	Generator Generator `json:"generator"`
}

// Settings are what a run was asked to do.
type Settings struct {
	Tunnels        int      `json:"tunnels"`
	Sessions       int      `json:"sessions"`
	Rate           float64  `json:"rate"`
	Concurrency    int      `json:"concurrency"`
	Duration       float64  `json:"duration_seconds"`
	Hold           float64  `json:"hold_seconds"`
	Churn          bool     `json:"churn"`
	ConnectTimeout float64  `json:"connect_timeout_seconds"`
	Auth           []string `json:"auth"`
	Echo           float64  `json:"echo_seconds"`
	Hello          float64  `json:"hello_seconds"`
	Sources        int      `json:"sources"`
	End            Ending   `json:"end"`
}

// Tunnels are how many tunnels became what.
type Tunnels struct {
	CameUp uint64 `json:"came_up"`
	Failed uint64 `json:"failed"`
	Lost   uint64 `json:"lost"` // were up, and ended without our asking
	MostUp int    `json:"most_up"`
}

// Sessions are how many sessions became what. A session that is placed anew counts anew.
type Sessions struct {
	Placed       uint64 `json:"placed"`
	CameUp       uint64 `json:"came_up"`
	Failed       uint64 `json:"failed"`    // did not come up, placed or not
	Dropped      uint64 `json:"dropped"`   // were up, and ended without our asking
	Ended        uint64 `json:"ended"`     // were up, and we ended them
	Cancelled    uint64 `json:"cancelled"` // were in set-up when the run ended
	Unplaced     int    `json:"unplaced"`  // were never placed, for the run ended
	MostUp       int    `json:"most_up"`
	Renegotiated uint64 `json:"renegotiated"` // LCP began anew in a session that was up
}

// A Speed is how fast sessions came or went. Time in which nothing was to come does not
// count.
type Speed struct {
	Sessions uint64  `json:"sessions"`
	Seconds  float64 `json:"seconds"`
	Rate     float64 `json:"per_second"`
	Best     float64 `json:"best_per_second,omitempty"` // in one interval of the timeline
}

func speed(sessions uint64, d time.Duration) Speed {
	s := Speed{Sessions: sessions, Seconds: seconds(d)}
	if d > 0 {
		s.Rate = float64(sessions) / d.Seconds()
	}
	return s
}

// Times are how long something took, in milliseconds.
type Times struct {
	Name  string  `json:"name"`
	Count int64   `json:"count"`
	Min   float64 `json:"min_ms"`
	Mean  float64 `json:"mean_ms"`
	P50   float64 `json:"p50_ms"`
	P90   float64 `json:"p90_ms"`
	P99   float64 `json:"p99_ms"`
	P999  float64 `json:"p999_ms"`
	Max   float64 `json:"max_ms"`
}

func times(name string, h *hdrhistogram.Histogram) Times {
	if h.TotalCount() == 0 {
		return Times{Name: name}
	}
	at := func(percent float64) float64 { return float64(h.ValueAtQuantile(percent)) / 1000 }
	return Times{
		Name: name, Count: h.TotalCount(), Min: float64(h.Min()) / 1000, Mean: h.Mean() / 1000,
		P50: at(50), P90: at(90), P99: at(99), P999: at(99.9), Max: float64(h.Max()) / 1000,
	}
}

// A Failure is how many tunnels or sessions ended for one cause.
type Failure struct {
	Phase   string `json:"phase"`
	Cause   string `json:"cause"`
	Count   uint64 `json:"count"`
	Example string `json:"example,omitempty"` // what one of them said beyond that
}

// Messages are what went over the wire.
type Messages struct {
	ControlSent     uint64 `json:"control_sent"`
	ControlReceived uint64 `json:"control_received"`
	DataSent        uint64 `json:"data_sent"`
	DataReceived    uint64 `json:"data_received"`
	AgainL2TP       uint64 `json:"l2tp_retransmitted"`
	AgainPPP        uint64 `json:"ppp_retransmitted"`
	SendErrors      uint64 `json:"send_errors"`
	Unwanted        uint64 `json:"unwanted"` // received for no tunnel or session that is there
	Lost            uint64 `json:"lost_by_us"`
}

// Flows are the packets that were sent into sessions.
type Flows struct {
	Sessions    int     `json:"sessions"`
	Sent        uint64  `json:"sent"`
	Received    uint64  `json:"received"`
	Lost        uint64  `json:"lost"`
	LossPercent float64 `json:"loss_percent"`
	Duplicates  uint64  `json:"duplicates"`
	Seconds     float64 `json:"seconds"` // from the first sent to the last received
	Rate        float64 `json:"per_second"`
	Megabits    float64 `json:"megabits_per_second"` // of IP packets, one way
	Times       Times   `json:"round_trip"`
}

// A Timeline is what happened when.
type Timeline struct {
	Interval float64 `json:"interval_seconds"`
	Points   []Point `json:"points"`
}

// A Point is what happened in one interval. Times are of sessions that came up in it.
type Point struct {
	At       float64 `json:"at_seconds"` // its begin
	Placed   uint64  `json:"placed"`
	Up       uint64  `json:"came_up"`
	Failed   uint64  `json:"failed"`
	Ended    uint64  `json:"ended"`
	Dropped  uint64  `json:"dropped"`
	UpNow    int     `json:"up"`        // at its end
	InFlight int     `json:"in_set_up"` // at its end
	Packets  uint64  `json:"packets"`   // that came back
	Mean     float64 `json:"mean_ms"`
	Max      float64 `json:"max_ms"`
}

// Generator is whether the generator itself was the limit.
type Generator struct {
	CPU      float64 `json:"cpu_seconds"`
	Lag      float64 `json:"max_lag_ms"`  // the latest that a call was placed after its time
	Wait     float64 `json:"max_wait_ms"` // the longest of a datagram until the run began to end
	Resident int64   `json:"max_resident_bytes"`
	Complete bool    `json:"ended_politely"` // the LNS acknowledged the end of everything
}

// WriteJSON writes a report for programs.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// Succeeded reports whether every tunnel and session that was asked for came up and
// stayed. At a signal, and in a run that begins anew what has ended, some are always on
// their way when the end comes.
func (r *Report) Succeeded() bool {
	s, t := &r.Sessions, &r.Tunnels
	if s.Failed+s.Dropped+t.Failed+t.Lost > 0 {
		return false
	}
	missing := s.Cancelled > 0 || s.Unplaced > 0 || t.CameUp < uint64(r.Settings.Tunnels)
	return !missing || r.Interrupted || r.Settings.Churn
}

// report makes the report of a run that is over.
func (r *Run) report(now time.Time) *Report {
	t := &r.tally
	rep := &Report{
		Version: ReportVersion, Target: r.cfg.Target.String(), Began: r.began.UTC().Round(0),
		Seconds: seconds(r.since(now)), Interrupted: r.stage.interrupted,
		Settings: r.cfg.settings(),
		Tunnels: Tunnels{
			CameUp: t.tunnelsCameUp, Failed: t.tunnelsFailed, Lost: t.tunnelsLost,
			MostUp: t.tunnelsMostUp,
		},
		Sessions: Sessions{
			Placed: t.placed, CameUp: t.cameUp, Failed: t.failed, Dropped: t.dropped,
			Ended: t.ended, Cancelled: t.cancelled, Unplaced: r.pending, MostUp: t.mostUp,
			Renegotiated: t.renegotiated,
		},
		TearDown: speed(r.stage.ended, r.stage.endOver-r.stage.endBegan),
		Failures: t.failures.sorted(), Drops: t.drops.sorted(),
		Messages: Messages{
			ControlSent: t.controlSent, ControlReceived: t.controlReceived, DataSent: t.dataSent,
			DataReceived: t.dataReceived, AgainL2TP: t.againL2TP, AgainPPP: t.againPPP,
			SendErrors: t.sendErrors, Unwanted: t.unwanted, Lost: r.mail.lost,
		},
		Timeline:  Timeline{Interval: seconds(t.timeline.interval), Points: t.timeline.points},
		Generator: generator(t.lag, t.waited),
	}
	rep.Generator.Complete = !r.stage.unanswered
	for p, h := range t.took {
		rep.Phases = append(rep.Phases, times(Phase(p).String(), h))
	}
	if t.cameUp > 0 {
		rep.SetUp = speed(t.cameUp, t.comingUp)
	}
	for _, p := range t.timeline.points {
		rep.SetUp.Best = max(rep.SetUp.Best, float64(p.Up)/rep.Timeline.Interval)
	}
	rep.Traffic = r.flows()
	return rep
}

// flows are the report's part about packets, or nil.
func (r *Run) flows() *Flows {
	n, t := r.cfg.Traffic.Sessions, &r.tally.flows
	if n == 0 {
		return nil
	}
	f := &Flows{
		Sessions: n, Sent: t.sent, Received: t.received, Lost: t.sent - t.received,
		Duplicates: t.duplicates, Times: times("round trip", t.took),
	}
	if t.sent > 0 {
		f.LossPercent = 100 * float64(f.Lost) / float64(t.sent)
	}
	if took := t.last - t.first; took > 0 {
		f.Seconds = seconds(took)
		f.Rate = float64(t.received) / f.Seconds
		f.Megabits = f.Rate * float64(8*r.cfg.Traffic.Size) / 1e6
	}
	return f
}

func (c *Config) settings() Settings {
	s := Settings{
		Tunnels: c.Tunnels, Sessions: c.Sessions, Rate: c.Rate, Concurrency: c.Concurrency,
		Duration: seconds(c.Duration), Hold: seconds(c.Hold), Churn: c.Churn,
		ConnectTimeout: seconds(c.ConnectTimeout), Auth: []string{}, Echo: seconds(c.EchoInterval),
		Hello: seconds(c.HelloInterval), Sources: max(len(c.Sources), 1), End: c.End,
	}
	for _, a := range c.Auth {
		s.Auth = append(s.Auth, a.String())
	}
	return s
}

// generator tells what this process has used.
func generator(lag, waited time.Duration) Generator {
	g := Generator{Lag: millis(lag), Wait: millis(waited)}
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) == nil {
		g.CPU = seconds(time.Duration(u.Utime.Nano() + u.Stime.Nano()))
		g.Resident = u.Maxrss << 10
	}
	return g
}

// A Progress is how far a run is.
type Progress struct {
	At       time.Duration
	Stage    string
	Sessions int // that are up
	Wanted   int
	InFlight int
	Placed   uint64
	CameUp   uint64
	Failed   uint64
	Dropped  uint64
	Rate     float64 // sessions that came up in the last interval, a second
	Packets  float64 // that came back in the last interval, a second; -1: none are sent
	Last     bool

	Tunnels, WantedTunnels int    // those that are up, and all
	FailedTunnels          uint64 // attempts
}

var stageNames = [...]string{
	"running", "waiting for packets", "hanging up", "closing tunnels", "over",
}

// tellProgress tells how far the run is.
func (r *Run) tellProgress(now time.Duration) {
	if r.cfg.Progress == nil {
		return
	}
	t := &r.tally
	p := Progress{
		At: now, Stage: stageNames[r.stage.now], Sessions: t.upNow,
		Wanted: r.cfg.Sessions, InFlight: t.inFlight, Placed: t.placed, CameUp: t.cameUp,
		Failed: t.failed, Dropped: t.dropped, Last: r.stage.now == finished,
		Tunnels: t.tunnelsUp, WantedTunnels: r.cfg.Tunnels, FailedTunnels: t.tunnelsFailed,
	}
	if n := len(t.timeline.points); n > 0 {
		last := t.timeline.points[n-1]
		p.Rate = float64(last.Up) / t.timeline.interval.Seconds()
		p.Packets = float64(last.Packets) / t.timeline.interval.Seconds()
	}
	if r.cfg.Traffic.Sessions == 0 {
		p.Packets = -1
	}
	r.cfg.Progress(p)
}

// ParseAuth reads the name of an authentication method.
func ParseAuth(name string) (ppp.AuthMethod, bool) {
	m, ok := map[string]ppp.AuthMethod{
		"pap": ppp.PAP, "chap": ppp.CHAPMD5, "mschap": ppp.MSCHAPv1, "mschapv2": ppp.MSCHAPv2,
	}[name]
	return m, ok
}
