package bench

import (
	"testing"
	"time"
)

// TestTraffic: packets come back or are counted as lost, and copies are not counted twice.
func TestTraffic(t *testing.T) {
	t.Run("held", func(t *testing.T) { testTraffic(t, 0, 900) })
	t.Run("in sessions of 4 s", func(t *testing.T) { testTraffic(t, 4*time.Second, 600) })
}

func testTraffic(t *testing.T, hold time.Duration, least uint64) {
	came := 0
	copies := func(n int) int {
		came = n
		switch n % 10 {
		case 0:
			return 0
		case 5:
			return 2
		}
		return 1
	}
	inEchoScene(t, 200*time.Millisecond, copies, func(s *scene) {
		cfg := load(2, 20)
		cfg.Duration = 20 * time.Second
		cfg.Hold = hold
		cfg.Churn = hold > 0
		cfg.Traffic = Traffic{Sessions: 5, Rate: 10}
		f := s.run(cfg).Traffic
		same(t, "sent", f.Sent, uint64(came))
		if f.Sent < least || f.Sent > 1000 {
			t.Errorf("%d packets sent, want %d to 1000", f.Sent, least)
		}
		same(t, "lost", f.Lost, f.Sent/10)
		same(t, "twice", f.Duplicates, (f.Sent+5)/10)
		if f.Times.Min < 199 || f.Times.Max > 205 {
			t.Errorf("round trip of %v to %v ms, want 200", f.Times.Min, f.Times.Max)
		}
	})
}

// TestTrafficByWindow: packets go as fast as they come back, and what is lost does not
// stop them.
func TestTrafficByWindow(t *testing.T) {
	silent := false
	copies := func(n int) int {
		if n%100 == 0 || silent {
			return 0
		}
		return 1
	}
	inEchoScene(t, 10*time.Millisecond, copies, func(s *scene) {
		cfg := load(1, 2)
		cfg.Duration = 10 * time.Second
		cfg.Traffic = Traffic{Sessions: 2, Window: 8}
		cfg.Progress = func(p Progress) { silent = p.At == 5*time.Second } // for a second
		r := s.run(cfg)
		f := r.Traffic
		// 8 in each session every 10 ms, for 7 to 8 s.
		if f.Received < 2*8*100*7 || f.Received > 2*8*100*9 {
			t.Errorf("%d packets came back, want 16 every 10 ms", f.Received)
		}
		if f.Lost < f.Sent/100 || f.Lost > f.Sent/100+16+2 {
			t.Errorf("%d of %d lost, want one in a hundred and those of the pause", f.Lost, f.Sent)
		}
		same(t, "packets of the timeline", sumPackets(r), f.Received)
	})
}

func sumPackets(r *Report) (n uint64) {
	for _, p := range r.Timeline.Points {
		n += p.Packets
	}
	return n
}
