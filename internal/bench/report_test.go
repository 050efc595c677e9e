package bench

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"culvert/ppp"
)

var update = flag.Bool("update", false, "rewrite what is in testdata")

// sample is a report in which nothing is zero or alike.
func sample() *Report {
	r := &Report{
		Version: ReportVersion, Release: "1.2.3", Target: "192.0.2.1:1701",
		Began: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Seconds: 61.5, Interrupted: true,
		Settings: Settings{
			Tunnels: 8, Sessions: 1000, Rate: 120.5, Concurrency: 64, Duration: 60, Hold: 30, Churn: true,
			ConnectTimeout: 20, Auth: []string{"CHAP", "PAP"}, Echo: 10, Hello: 60, Sources: 4, End: EndCalls,
		},
		Tunnels: Tunnels{CameUp: 7, Failed: 1, Lost: 2, MostUp: 6},
		Sessions: Sessions{
			Placed: 1200, CameUp: 1100, Failed: 90, Dropped: 5, Ended: 1094, Cancelled: 10, Unplaced: 3,
			MostUp: 900, Renegotiated: 4,
		},
		SetUp:    Speed{Sessions: 1100, Seconds: 58.25, Rate: 18.88, Best: 130},
		TearDown: Speed{Sessions: 900, Seconds: 1.5, Rate: 600, Best: 700},
		Failures: []Failure{
			{Phase: "auth", Cause: "authentication: refused", Count: 80, Example: `the peer refused us: "<b>no & never</b>"`},
			{Phase: "call", Cause: "timed out", Count: 10, Example: "after 20s"},
		},
		Drops: []Failure{{Phase: "up", Cause: "CDN: loss of carrier", Count: 5}},
		Messages: Messages{
			ControlSent: 3300, ControlReceived: 3290, DataSent: 9000, DataReceived: 9100, AgainL2TP: 12,
			AgainPPP: 34, SendErrors: 2, Unwanted: 56, Lost: 7,
		},
		Traffic: &Flows{
			Sessions: 100, Sent: 6000, Received: 5990, Lost: 10, LossPercent: 0.1667, Duplicates: 1,
			Seconds: 60, Rate: 99.8, Megabits: 0.067,
			Times: Times{"round trip", 5990, 0.25, 1.5, 1.25, 2.5, 9.75, 40.5, 180},
		},
		Timeline: Timeline{Interval: 1, Points: []Point{
			{0, 120, 100, 5, 0, 0, 100, 15, 1900, 80.5, 200},
			{1, 121, 115, 6, 10, 2, 203, 15, 2000, 90.25, 300},
			{2, 119, 130, 7, 20, 3, 310, 4, 2090, 70.125, 150},
		}},
		Generator: Generator{CPU: 1.25, Lag: 3.5, Wait: 0.75, Resident: 50 << 20, Complete: true},
	}
	for p := range numPhases {
		scale := float64(p + 1)
		r.Phases = append(r.Phases, Times{
			p.String(), 1000 + int64(p), scale / 10, scale * 2, scale, scale * 3, scale * 10, scale * 40, scale * 100,
		})
	}
	return r
}

// golden compares text with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (-update rewrites it); now:\n%s", path, got)
	}
}

func TestReportGoldens(t *testing.T) {
	for name, write := range map[string]func(*Report, io.Writer) error{
		"report.txt": (*Report).WriteText, "report.json": (*Report).WriteJSON, "report.html": (*Report).WriteHTML,
	} {
		var b bytes.Buffer
		if err := write(sample(), &b); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.Bytes())
	}
}

// TestSampleIsComplete: a field that the sample leaves out would not be in the goldens.
func TestSampleIsComplete(t *testing.T) {
	var walk func(path string, v reflect.Value)
	walk = func(path string, v reflect.Value) {
		switch {
		case v.Kind() == reflect.Pointer:
			walk(path, v.Elem())
		case v.Type() == reflect.TypeFor[time.Time]():
		case v.Kind() == reflect.Struct:
			for i := range v.NumField() {
				walk(path+"."+v.Type().Field(i).Name, v.Field(i))
			}
		case v.IsZero():
			t.Errorf("the sample has no %s", path)
		}
	}
	walk("Report", reflect.ValueOf(*sample()))
}

// TestJSONComesBack: what other programs read is what was written.
func TestJSONComesBack(t *testing.T) {
	var b bytes.Buffer
	if err := sample().WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	got := new(Report)
	d := json.NewDecoder(&b)
	d.DisallowUnknownFields()
	if err := d.Decode(got); err != nil {
		t.Fatal(err)
	}
	if want := sample(); !reflect.DeepEqual(got, want) {
		t.Errorf("read back: %+v, want %+v", got, want)
	}
}

// wantPage checks that a page is well-formed and needs nothing from elsewhere, and returns
// how many elements of each name it has.
func wantPage(t *testing.T, page []byte) map[string]int {
	t.Helper()
	count := make(map[string]int)
	d := xml.NewDecoder(bytes.NewReader(page))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return count
		}
		if err != nil {
			t.Fatalf("the page is not well-formed: %v", err)
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		count[e.Name.Local]++
		for _, a := range e.Attr {
			if slices.Contains([]string{"src", "href", "data", "action"}, a.Name.Local) || strings.Contains(a.Value, "//") {
				t.Errorf("<%s %s=%q> is not self-contained", e.Name.Local, a.Name.Local, a.Value)
			}
		}
		if e.Name.Local == "script" || e.Name.Local == "link" {
			t.Errorf("the page has <%s>", e.Name.Local)
		}
	}
}

func TestPage(t *testing.T) {
	var b bytes.Buffer
	if err := sample().WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	count := wantPage(t, b.Bytes())
	same(t, "charts", count["svg"], 4)
	same(t, "lines", count["polyline"], 7)
	same(t, "bars", count["rect"], 4*(int(numPhases)+1))
	same(t, "elements of a peer's making", count["b"] > 0 && strings.Contains(b.String(), "<b>no"), false)
	for _, text := range []string{"authentication: refused", "loss of carrier", "1100 of 1200", "10 of 6000"} {
		if !strings.Contains(b.String(), text) {
			t.Errorf("the page does not say %q", text)
		}
	}
}

// TestEmptyReport: nothing came up, and every form still works.
func TestEmptyReport(t *testing.T) {
	inScene(t, lnsConfig, func(s *scene) {
		s.wire.Cut(lnsAddr.Addr())
		r := s.run(load(1, 1))
		var b bytes.Buffer
		if err := errors.Join(r.WriteText(&b), r.WriteJSON(&b)); err != nil {
			t.Error(err)
		}
		var page bytes.Buffer
		if err := r.WriteHTML(&page); err != nil {
			t.Error(err)
		}
		wantPage(t, page.Bytes())
		for _, bad := range []string{"NaN", "Inf", "p99.9"} { // no table of nothing
			if strings.Contains(b.String()+page.String(), bad) {
				t.Errorf("a report says %s", bad)
			}
		}
	})
}

// TestReportsHaveNoSecrets: neither when all is well nor when passwords are wrong. PAP is
// among it, by which the LNS could say the password back.
func TestReportsHaveNoSecrets(t *testing.T) {
	for name, change := range map[string]func(c *Config){
		"right":          func(*Config) {},
		"wrong password": func(c *Config) { c.Password = "looking-glass" },
		"wrong secret":   func(c *Config) { c.Secret = "coffee-time" },
		"pap":            func(c *Config) { c.Auth = []ppp.AuthMethod{ppp.PAP} },
	} {
		t.Run(name, func(t *testing.T) {
			inScene(t, lnsConfig, func(s *scene) {
				cfg := load(1, 5)
				change(cfg)
				var b bytes.Buffer
				cfg.Progress = func(p Progress) { b.WriteString(p.String()) }
				r := s.run(cfg)
				if err := errors.Join(r.WriteText(&b), r.WriteJSON(&b), r.WriteHTML(&b)); err != nil {
					t.Fatal(err)
				}
				for _, hidden := range []string{password, secret, "looking-glass", "coffee-time"} {
					if strings.Contains(b.String(), hidden) {
						t.Errorf("a report has %q", hidden)
					}
				}
			})
		})
	}
}

// TestShortRun: what came up in a part of a second is no rate of a second.
func TestShortRun(t *testing.T) {
	for seconds, want := range map[float64]bool{0.5: false, 1: false, 1.5: true} {
		r := sample()
		r.SetUp.Seconds = seconds
		var b bytes.Buffer
		if err := r.WriteText(&b); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(b.String(), "best") != want {
			t.Errorf("set-up in %v s: %s", seconds, b.String())
		}
	}
}

// TestAttempts: with churn there are more of them than tunnels and sessions.
func TestAttempts(t *testing.T) {
	r := sample()
	r.Tunnels = Tunnels{CameUp: 16, Failed: 3, Lost: 8, MostUp: 8}
	r.Sessions = Sessions{Placed: 2100, CameUp: 2000, Failed: 90, Cancelled: 10, Dropped: 1000, MostUp: 1000}
	var b bytes.Buffer
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"16 of 19 came up", "2000 of 2100 came up"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the text does not say %q:\n%s", want, b.String())
		}
	}
}

// TestLateCalls: without a rate no call has a time that it could be late for.
func TestLateCalls(t *testing.T) {
	for rate, want := range map[float64]bool{0: false, 10: true} {
		r := sample()
		r.Settings.Rate = rate
		var text, page bytes.Buffer
		if err := errors.Join(r.WriteText(&text), r.WriteHTML(&page)); err != nil {
			t.Fatal(err)
		}
		same(t, "late calls in the text", strings.Contains(text.String(), "ms late"), want)
		same(t, "late calls in the page", strings.Contains(page.String(), "late by"), want)
	}
}

func TestProgress(t *testing.T) {
	p := Progress{
		At: 83 * time.Second, Stage: stageNames[hangingUp], Sessions: 900, Wanted: 1000,
		Tunnels: 4, WantedTunnels: 8, FailedTunnels: 5, InFlight: 12, Failed: 3, Dropped: 2, Rate: 118, Packets: 250,
	}
	same(t, "progress", p.String(),
		"1m23s  900/1000 up  118/s  12 in set-up  4/8 tunnels  250 packets/s  3 failed  2 dropped  5 tunnels failed  hanging up")
}
