package main

import (
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite what is in testdata")

// sample has several rounds, sizes that not everybody was asked for, and failures.
func sample() *Results {
	r := &Results{Conditions: Conditions{
		Began: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Kernel: "6.1.0-1-amd64",
		Machine: "2 processors (QEMU TCG CPU version 2.5+), 4096 MiB", Commit: "0123456789ab", Go: "go1.26",
		Host: "2 of Some CPU", Versions: map[string]string{"xl2tpd": "1.3.18", "l2tpns": "2.4.1"}, TookSecond: 1800,
	}}
	rates := map[string]float64{
		KernelPlane: 300, Forgetful: 310, TUNPlane: 500, L2TPNS: 160, XL2TPD: 6.5, Bare: 320, BareAlone: 30,
	}
	for i, subject := range subjects {
		bare := subject == Bare || subject == BareAlone
		for _, n := range []int{200, 1000, 5000, 20000} {
			most := map[string]int{XL2TPD: 200, BareAlone: 200, L2TPNS: 5000, Forgetful: 5000}[subject]
			if most > 0 && n > most {
				continue
			}
			for round, factor := range []float64{0.5, 1, 1.5} {
				s := SetUp{
					Subject: subject, Sessions: n, Wide: 128, CameUp: n, Rate: rates[subject] * factor,
					P50: 100 + float64(i), P99: 400 * float64(i+1), TearDown: float64(n) / 100,
					Kernel: 50000, Busy: float64(i + 1),
				}
				s.Seconds = float64(n) / s.Rate
				if !bare {
					s.Base, s.Daemon = 2e7, 4000+float64(round)
				}
				if subject == KernelPlane {
					s.Aside = 3000
				}
				if subject == L2TPNS && n == 5000 {
					s.CameUp, s.Failed, s.Stopped = 4000, 7, true
				}
				r.SetUps = append(r.SetUps, s)
			}
		}
		if !bare && subject != Forgetful {
			for _, n := range []int{1, 100} {
				for _, size := range []int{smallPacket, largePacket} {
					r.Flows = append(r.Flows, Flow{
						Subject: subject, Sessions: n, Size: size, Rate: 20000 / float64(i+1), Megabits: 12.5,
						Sent: 100000, Lost: uint64(i), RoundTrip: 3, Busy: 90,
					})
				}
			}
		}
	}
	return r
}

func TestPublish(t *testing.T) {
	dir := t.TempDir()
	if err := sample().publish(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"README.md", "set-up.svg", "packets.svg"} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || string(want) != string(got) {
			t.Errorf("%s: %v; it differs (-update rewrites it)", path, err)
		}
	}
	again, err := read(filepath.Join(dir, "results.json"))
	if err != nil || len(again.SetUps) != len(sample().SetUps) {
		t.Errorf("read back: %v, %+v", err, again)
	}
}

// TestChartsAreWellFormed: and each bar is there, and none is outside.
func TestChartsAreWellFormed(t *testing.T) {
	for name, text := range sample().charts() {
		bars := 0
		d := xml.NewDecoder(strings.NewReader(text))
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if e, ok := token.(xml.StartElement); ok && e.Name.Local == "rect" {
				bars++
			}
		}
		want := 20 + len(subjects) // measured, and those of the legend
		if name == "packets.svg" {
			want = 16 + 4
		}
		if bars != want || strings.Contains(text, "NaN") || strings.Contains(text, "Inf") || strings.Contains(text, `height="-`) {
			t.Errorf("%s has %d bars, want %d, or one that is outside", name, bars, want)
		}
	}
}

func TestTargets(t *testing.T) {
	verdicts := func(r *Results) string {
		var all []string
		for _, target := range r.targets() {
			all = append(all, target.verdict())
		}
		return strings.Join(all, ", ")
	}
	met := strings.TrimSuffix(strings.Repeat("met, ", 13), ", ")
	if got := verdicts(sample()); got != met {
		t.Errorf("verdicts: %s:\n%s", got, textOf(sample().targets()))
	}
	if got := verdicts(new(Results)); strings.Count(got, "not measured") != 13 {
		t.Errorf("verdicts on nothing: %s", got)
	}
	worse := map[string]func(r *Results){
		"of the bare calls": func(r *Results) { r.each(Bare, func(s *SetUp) { s.Rate *= 1.2 }) },
		"one thread":        func(r *Results) { r.each(BareAlone, func(s *SetUp) { s.Rate *= 2 }) },
		"xl2tpd":            func(r *Results) { r.each(XL2TPD, func(s *SetUp) { s.Rate *= 4 }) },
		" on TUN, of l2tpns": func(r *Results) {
			r.each(L2TPNS, func(s *SetUp) { s.Rate *= 4 })
			for i := range r.Flows {
				if f := &r.Flows[i]; f.Subject == L2TPNS {
					f.Rate *= 2
				}
			}
		},
		"memory":     func(r *Results) { r.each(KernelPlane, func(s *SetUp) { s.Daemon = 5000 }) },
		"percentile": func(r *Results) { r.each(KernelPlane, func(s *SetUp) { s.P99 = 1001 }) },
		"of 20,000, of that": func(r *Results) {
			r.eachOf(KernelPlane, 20000, func(s *SetUp) { s.Rate *= 0.79 })
		},
		"packets a second": func(r *Results) {
			for i := range r.Flows {
				r.Flows[i].Lost = 11
			}
		},
		"of 5,000": func(r *Results) {
			r.eachOf(KernelPlane, 5000, func(s *SetUp) { s.CameUp-- })
			r.eachOf(TUNPlane, 5000, func(s *SetUp) { s.CameUp-- })
		},
	}
	for what, change := range worse {
		r := sample()
		change(r)
		for _, target := range r.targets() {
			about := strings.Contains(target.what, what) &&
				(what != "of the bare calls" || !strings.Contains(target.what, "thread"))
			if want := map[bool]string{true: "missed", false: "met"}[about]; target.verdict() != want {
				t.Errorf("%s made worse: %q is %s (%s), want %s", what, target.what, target.verdict(), target.measured, want)
			}
		}
	}
}

func (r *Results) each(subject string, change func(s *SetUp)) { r.eachOf(subject, 0, change) }

// eachOf changes the set-ups of so many sessions by a subject; of any number if that is 0.
func (r *Results) eachOf(subject string, sessions int, change func(s *SetUp)) {
	for i := range r.SetUps {
		if s := &r.SetUps[i]; s.Subject == subject && (sessions == 0 || s.Sessions == sessions) {
			change(s)
		}
	}
}

// TestTargetsOfTheDead: what came to nothing has met no target, though its figures are small.
func TestTargetsOfTheDead(t *testing.T) {
	r := sample()
	for _, subject := range []string{KernelPlane, TUNPlane} {
		r.each(subject, func(s *SetUp) { *s = SetUp{Subject: s.Subject, Sessions: s.Sessions, Daemon: -1000} })
	}
	for i := range r.Flows {
		r.Flows[i] = Flow{Subject: r.Flows[i].Subject, Sessions: r.Flows[i].Sessions, Size: r.Flows[i].Size}
	}
	for _, target := range r.targets() {
		if target.verdict() != "missed" {
			t.Errorf("%s is %s (%s), want missed", target.what, target.verdict(), target.measured)
		}
	}
}

func TestProgressIsUnderstood(t *testing.T) {
	got := states("   1s  20/100 up  20/s  16 in set-up  8 tunnels  83 failed\n" +
		"something else\n   2s  99/100 up  0/s  0 in set-up  8 tunnels  250 packets/s  1 failed  2 dropped\n")
	want := []state{{20, 83, 0}, {99, 1, 250}}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("states = %v, want %v", got, want)
	}
}
