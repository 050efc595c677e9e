package main

import (
	"fmt"
	"slices"
	"strings"
)

// page is the page about the results.
func (r *Results) page() string {
	var b strings.Builder
	b.WriteString(`# Benchmarks

<!-- Made by "make bench"; not to be edited. -->

One run of ` + "`make bench`" + `: every LNS in the same virtual machine, one after the other, driven by
[culvert-bench](../culvert-bench.md) in a second network namespace. All that is here was measured in that run:
compare figures with each other, not with those of other machines. [results.json](results.json) has everything.

`)
	r.writeConditions(&b)
	r.writeTargets(&b)
	r.writeSetUps(&b)
	r.writeMemory(&b)
	r.writeFlows(&b)
	return b.String()
}

func (r *Results) writeConditions(b *strings.Builder) {
	c := r.Conditions
	rows := [][]string{
		{"date", c.Began.Format("2006-01-02 15:04 MST") + fmt.Sprintf(", %.0f minutes", c.TookSecond/60)},
		{"commit", c.Commit + ", " + c.Go},
		{"kernel", c.Kernel},
		{"machine", c.Machine},
		{"its host", c.Host},
	}
	var peers []string
	for name, version := range c.Versions {
		peers = append(peers, name+" "+version)
	}
	slices.Sort(peers)
	rows = append(rows, []string{"others", strings.Join(peers, ", ")})
	writeTable(b, []string{"conditions", ""}, rows)
	if strings.Contains(c.Machine, "TCG") {
		b.WriteString("\nThe processors are emulated by software: work is 10 to 20 times slower than on hardware, " +
			"waiting is not.\n")
	}
	b.WriteString(`
CHAP with a user for each session, 8 tunnels. culvertd runs as it is installed, with culvert-keeper, so that
its sessions outlive it; "no keeper" is without, as everybody else is. The bare calls are the kernel's part of
an LNS's session (session, channel, unit, address) made by as many goroutines as culvertd is asked for calls at
once, with no client on the same processors. l2tpns asks FreeRADIUS on the same machine, as it must; all others
know their users. Everybody is asked for as many calls at once as it takes best: l2tpns is no faster with 128
than with 64. Where there were several rounds the one with the median rate is shown, and between which rates
all were.
`)
}

func (r *Results) writeTargets(b *strings.Builder) {
	var rows [][]string
	for _, t := range r.targets() {
		rows = append(rows, []string{t.what, t.want, t.measured, t.verdict()})
	}
	b.WriteString("\n## Targets\n\n")
	writeTable(b, []string{"what", "wanted", "measured", ""}, rows)
}

// sizes are the numbers of sessions that were measured.
func (r *Results) sizes() (all []int) {
	for _, s := range r.SetUps {
		if !slices.Contains(all, s.Sessions) {
			all = append(all, s.Sessions)
		}
	}
	slices.Sort(all)
	return all
}

func (r *Results) writeSetUps(b *strings.Builder) {
	b.WriteString("\n## Set-up and tear-down\n\n![Sessions set up a second](set-up.svg)\n\n" +
		"![99th percentile of the time of a set-up](set-up-time.svg)\n")
	for _, n := range r.sizes() {
		var rows [][]string
		for _, subject := range subjects {
			if s := r.setUp(subject, n); s != nil {
				row := s.row()
				row[3] += r.spread(subject, n)
				rows = append(rows, row)
			}
		}
		fmt.Fprintf(b, "\n%d sessions:\n\n", n)
		writeTable(b, []string{
			"", "at once", "came up", "a second", "p50, ms", "p99, ms", "processor ms for each", "tear-down, a second",
		}, rows)
	}
	b.WriteString(`
Processor time is the whole machine's, the client's part included. Tear-down ends when the LNS has nothing of
any session any more; l2tpns does not tell, so there it is until the client's messages were acknowledged. Not
every LNS is asked for every number: xl2tpd would take hours.
`)
}

func (s *SetUp) row() []string {
	cameUp := fmt.Sprint(s.CameUp)
	if s.Stopped {
		cameUp += fmt.Sprintf(" in %.0f s", s.Seconds)
	}
	if s.Failed > 0 {
		cameUp += fmt.Sprintf(", %d failed", s.Failed)
	}
	down := "-"
	if s.TearDown > 0 {
		down = figure(float64(s.CameUp) / s.TearDown)
	}
	return []string{
		s.Subject, fmt.Sprint(s.Wide), cameUp, figure(s.Rate), figure(s.P50), figure(s.P99), figure(s.Busy), down,
	}
}

func (r *Results) writeMemory(b *strings.Builder) {
	b.WriteString("\n## Memory of a session\n\n![Memory of a session](memory.svg)\n\n")
	var rows [][]string
	for _, subject := range subjects {
		for _, n := range r.sizes() {
			s := r.setUp(subject, n)
			if s == nil {
				continue
			}
			daemon := "-"
			if s.Base > 0 {
				daemon = fmt.Sprintf("%s (and %.1f MB in all)", figure(s.Daemon), s.Base/1e6)
			}
			aside := "-"
			if s.Aside > 0 {
				aside = figure(s.Aside)
			}
			rows = append(rows, []string{subject, fmt.Sprint(n), daemon, aside, figure(s.Kernel)})
		}
	}
	writeTable(b, []string{
		"", "sessions", "processes, B", "keeper and state, B", "kernel (slab and percpu), B",
	}, rows)
	b.WriteString(`
What there is more with the sessions up than without any: the proportional set size of the daemon and of what it
has started; of culvertd with its keeper, that of the keeper and what is written to a tmpfs for the next process.
Before both readings every LNS has had sessions come and go, 512 where at least 1,000 are measured, and has had
the time to give back what is no longer used: culvertd says when it has, others have 5 s. Few sessions show what
a process needs for having worked at all, rather than what a session needs.
`)
}

func (r *Results) writeFlows(b *strings.Builder) {
	if len(r.Flows) == 0 {
		return
	}
	b.WriteString("\n## Packets\n\n![Packets a second](packets.svg)\n\n")
	var rows [][]string
	for _, subject := range subjects {
		for _, sessions := range []int{1, 100} {
			for _, size := range []int{smallPacket, largePacket} {
				if f := r.flow(subject, sessions, size); f != nil {
					rows = append(rows, []string{
						subject, fmt.Sprint(sessions), fmt.Sprint(size), figure(f.Rate), figure(f.Megabits),
						figure(f.Busy), figure(f.RoundTrip), fmt.Sprintf("%d of %d", f.Lost, f.Sent),
					})
				}
			}
		}
	}
	writeTable(b, []string{
		"", "sessions", "bytes", "packets a second", "Mbit/s", "processor us for each", "round trip p50, ms", "lost",
	}, rows)
	b.WriteString(`
Echo requests go through the LNS to an address behind it and come back, about 64 or 100 of them under way, the
next when one came back: so the rate is what the slowest part takes without loss. It is that of each way.
Processor time is the whole machine's for a packet there and back, the generator's part included, which is the
same for all.
`)
}

// figure is a number with three digits that mean something.
func figure(v float64) string {
	switch {
	case v >= 100 || v <= -100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func writeTable(b *strings.Builder, header []string, rows [][]string) {
	line := func(cells []string) { fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | ")) }
	line(header)
	b.WriteString(strings.Repeat("|---", len(header)) + "|\n")
	for _, r := range rows {
		line(r)
	}
}
