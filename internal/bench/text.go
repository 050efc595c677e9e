package bench

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"culvert/internal/chart"
)

// WriteText writes a report for people.
func (r *Report) WriteText(w io.Writer) error {
	var b bytes.Buffer
	r.writeSummary(&b)
	r.writeTimes(&b)
	r.writeFailures(&b)
	r.writeRest(&b)
	_, err := w.Write(b.Bytes())
	return err
}

func (r *Report) writeSummary(b *bytes.Buffer) {
	s, t := r.Sessions, r.Tunnels
	fmt.Fprintf(b, "LNS %s, %.1f s", r.Target, r.Seconds)
	if r.Interrupted {
		b.WriteString(", interrupted")
	}
	fmt.Fprintf(b, "\n\ntunnels    %d of %d came up", t.CameUp, r.tunnelAttempts())
	writeCounts(b, count{t.Failed, "failed"}, count{t.Lost, "lost"})
	fmt.Fprintf(b, "sessions   %d of %d came up", s.CameUp, r.attempts())
	writeCounts(b, count{s.Failed, "failed"}, count{s.Dropped, "dropped"},
		count{s.Cancelled, "cancelled"}, count{uint64(s.Unplaced), "not placed"},
		count{s.Renegotiated, "renegotiated"})
	if s.CameUp > 0 {
		fmt.Fprintf(b, "set-up     %.1f sessions/s over %.2f s", r.SetUp.Rate, r.SetUp.Seconds)
		if r.SetUp.Seconds > r.Timeline.Interval { // else no interval is full of them
			fmt.Fprintf(b, ", best %.0f/s", r.SetUp.Best)
		}
		fmt.Fprintf(b, ", at most %d up at once\n", s.MostUp)
	}
	if r.TearDown.Sessions > 0 {
		fmt.Fprintf(b, "tear-down  %d sessions in %.2f s", r.TearDown.Sessions, r.TearDown.Seconds)
		if !r.Generator.Complete {
			b.WriteString(", not all of it acknowledged")
		}
		b.WriteString("\n")
	}
}

// attempts are how many sessions were to come up.
func (r *Report) attempts() uint64 {
	s := &r.Sessions
	return max(s.CameUp+s.Failed+s.Cancelled, uint64(r.Settings.Sessions))
}

// tunnelAttempts are how many tunnels were to come up.
func (r *Report) tunnelAttempts() uint64 {
	return max(r.Tunnels.CameUp+r.Tunnels.Failed, uint64(r.Settings.Tunnels))
}

// A count is a number that is told if it is not zero.
type count struct {
	n    uint64
	what string
}

func writeCounts(b *bytes.Buffer, counts ...count) {
	for _, c := range counts {
		if c.n > 0 {
			fmt.Fprintf(b, ", %d %s", c.n, c.what)
		}
	}
	b.WriteString("\n")
}

func (r *Report) writeTimes(b *bytes.Buffer) {
	all := r.measured()
	if len(all) == 0 {
		return
	}
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "\nmilliseconds\tcount\tmin\tmean\tp50\tp90\tp99\tp99.9\tmax\t\n")
	for _, p := range all {
		fmt.Fprintf(t, "%s\t%d\t", p.Name, p.Count)
		for _, ms := range []float64{p.Min, p.Mean, p.P50, p.P90, p.P99, p.P999, p.Max} {
			fmt.Fprintf(t, "%s\t", chart.Number(ms))
		}
		fmt.Fprintln(t)
	}
	t.Flush()
}

// measured are the phases, and the packets' round trip, that happened at all.
func (r *Report) measured() []Times {
	all := r.Phases
	if r.Traffic != nil {
		all = append(all[:len(all):len(all)], r.Traffic.Times)
	}
	return slices.DeleteFunc(slices.Clone(all), func(t Times) bool { return t.Count == 0 })
}

func (r *Report) writeFailures(b *bytes.Buffer) {
	for _, list := range []struct {
		title string
		all   []Failure
	}{{"what failed", r.Failures}, {"what was dropped", r.Drops}} {
		if len(list.all) == 0 {
			continue
		}
		fmt.Fprintf(b, "\n%s\n", list.title)
		for _, f := range list.all {
			fmt.Fprintf(b, "%8d  %s: %s", f.Count, f.Phase, f.Cause)
			if f.Example != "" {
				fmt.Fprintf(b, " (%q)", f.Example)
			}
			b.WriteString("\n")
		}
	}
}

func (r *Report) writeRest(b *bytes.Buffer) {
	m := r.Messages
	fmt.Fprintf(b, "\ncontrol    %d messages sent, %d received, %d sent again\n", m.ControlSent,
		m.ControlReceived, m.AgainL2TP)
	fmt.Fprintf(b, "data       %d messages sent, %d received, %d PPP frames sent again\n",
		m.DataSent, m.DataReceived, m.AgainPPP)
	if m.SendErrors+m.Unwanted+m.Lost > 0 {
		fmt.Fprintf(b, "trouble    %d could not be sent, %d had no tunnel or session, "+
			"%d lost by the generator\n", m.SendErrors, m.Unwanted, m.Lost)
	}
	if f := r.Traffic; f != nil {
		fmt.Fprintf(b, "packets    %d sent in %d sessions, %d lost (%.3f %%), %.0f/s, "+
			"%.2f Mbit/s each way", f.Sent, f.Sessions, f.Lost, f.LossPercent, f.Rate, f.Megabits)
		writeCounts(b, count{f.Duplicates, "came back twice"})
	}
	g := r.Generator
	fmt.Fprintf(b, "generator  %.1f s of processor time, %d MiB, datagrams waited at most %s ms",
		g.CPU, g.Resident>>20, chart.Number(g.Wait))
	if r.Settings.Rate > 0 { // or else a call is due when it is placed
		fmt.Fprintf(b, ", calls placed at most %s ms late", chart.Number(g.Lag))
	}
	b.WriteString("\n")
}

// String is one line about how far the run is.
func (p Progress) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%5s  %d/%d up  %.0f/s  %d in set-up  %d/%d tunnels",
		p.At.Truncate(time.Second), p.Sessions, p.Wanted, p.Rate, p.InFlight, p.Tunnels,
		p.WantedTunnels)
	if p.Packets >= 0 {
		fmt.Fprintf(&b, "  %.0f packets/s", p.Packets)
	}
	for _, c := range []count{
		{p.Failed, "failed"}, {p.Dropped, "dropped"}, {p.FailedTunnels, "tunnels failed"},
	} {
		if c.n > 0 {
			fmt.Fprintf(&b, "  %d %s", c.n, c.what)
		}
	}
	if p.Stage != stageNames[running] {
		fmt.Fprintf(&b, "  %s", p.Stage)
	}
	return b.String()
}
