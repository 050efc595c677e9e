package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// A target is what a figure, or a ratio of two of the same run, is held against.
type target struct {
	what     string
	want     string
	measured string // empty: it was not
	met      bool
}

// verdict is a word for it.
func (t target) verdict() string {
	switch {
	case t.measured == "":
		return "not measured"
	case t.met:
		return "met"
	}
	return "missed"
}

// The sizes and packets that targets speak of.
const (
	small, medium, large, huge = 200, 1000, 5000, 20000
	smallPacket, largePacket   = 84, 1400
)

// targets are those of the project, with what was measured.
func (r *Results) targets() []target {
	return []target{
		r.rates("set-up of 1,000, of the bare calls", KernelPlane, medium, Bare, medium, 0.85, "%"),
		r.rates("set-up of 5,000, of the bare calls", KernelPlane, large, Bare, large, 0.85, "%"),
		r.rates("set-up of 1,000, of the bare calls on one thread", KernelPlane, medium, BareAlone, small, 8, "times"),
		r.rates("set-up of 200, of xl2tpd + pppd", KernelPlane, small, XL2TPD, small, 20, "times"),
		r.rates("set-up of 200 on TUN, of l2tpns", TUNPlane, small, L2TPNS, small, 1, "times"),
		r.rates("set-up of 1,000 on TUN, of l2tpns", TUNPlane, medium, L2TPNS, medium, 1, "times"),
		r.rates("set-up of 5,000 on TUN, of l2tpns", TUNPlane, large, L2TPNS, large, 1, "times"),
		r.packets("packets a second in 1 session on TUN, of l2tpns", 1),
		r.packets("packets a second in 100 sessions on TUN, of l2tpns", 100),
		r.rates("set-up of 20,000, of that of 1,000", KernelPlane, huge, KernelPlane, medium, 0.8, "%"),
		r.memory("memory of culvertd for each of 20,000 sessions", KernelPlane, huge, 4096),
		r.patience("99th percentile of set-ups of 1,000", KernelPlane, medium),
		r.patience("99th percentile of set-ups of 5,000", KernelPlane, large),
	}
}

// ratio is a target for one figure as part of another, in percent or times.
func ratio(what string, figure, of, least float64, unit string) target {
	t := target{what: what, want: fmt.Sprintf("at least %g times", least)}
	if unit == "%" {
		t.want = fmt.Sprintf("at least %.0f %%", 100*least)
	}
	if figure == 0 || of == 0 {
		return t
	}
	x := figure / of
	t.met = x >= least
	if t.measured = fmt.Sprintf("%.1f times", x); unit == "%" {
		t.measured = fmt.Sprintf("%.0f %%", 100*x)
	}
	return t
}

// rates compares two set-up rates.
func (r *Results) rates(
	what, subject string, sessions int, other string, others int, least float64, unit string,
) target {
	s, o := r.setUp(subject, sessions), r.setUp(other, others)
	if s == nil || o == nil {
		return ratio(what, 0, 0, least, unit)
	}
	t := ratio(what, s.Rate, o.Rate, least, unit)
	return t.unless(s.failure())
}

// failure says that not all sessions came up, or nothing.
func (s *SetUp) failure() string {
	if s.CameUp == s.Sessions {
		return ""
	}
	return fmt.Sprintf("%d came up", s.CameUp)
}

// unless is the target, which is missed if there is a failure, whatever was measured.
func (t target) unless(failure string) target {
	if failure != "" {
		t.met, t.measured = false, failure
	}
	return t
}

// packets compares small packets of the two that carry them in a process.
func (r *Results) packets(what string, sessions int) target {
	f, o := r.flow(TUNPlane, sessions, smallPacket), r.flow(L2TPNS, sessions, smallPacket)
	if f == nil || o == nil {
		return ratio(what, 0, 0, 1, "times")
	}
	t := ratio(what, f.Rate, o.Rate, 1, "times")
	return t.unless(f.failure())
}

// failure says that packets were lost, more than one in 10,000, or nothing.
func (f *Flow) failure() string {
	if f.Sent > 0 && f.Lost*10_000 <= f.Sent {
		return ""
	}
	return fmt.Sprintf("%d of %d lost", f.Lost, f.Sent)
}

func (r *Results) memory(what, subject string, sessions int, most float64) target {
	t := target{what: what, want: fmt.Sprintf("at most %.0f B", most)}
	if s := r.setUp(subject, sessions); s != nil {
		t.measured, t.met = fmt.Sprintf("%.0f B", s.Daemon), s.Daemon > 0 && s.Daemon <= most
		t = t.unless(s.failure())
	}
	return t
}

func (r *Results) patience(what, subject string, sessions int) target {
	t := target{what: what, want: "less than 1 s"}
	if s := r.setUp(subject, sessions); s != nil {
		t.measured, t.met = fmt.Sprintf("%.2f s", s.P99/1000), s.P99 < 1000
		t = t.unless(s.failure())
	}
	return t
}

// textOf is a table of targets for a terminal.
func textOf(all []target) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "target\twanted\tmeasured\t")
	for _, t := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", t.what, t.want, t.measured, t.verdict())
	}
	w.Flush()
	return b.String()
}
