package engine

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"culvert/internal/dataplane"
)

func TestOverhead(t *testing.T) {
	for _, test := range []struct {
		peer     string
		numbered bool
		want     int
	}{
		{"192.0.2.1", false, 20 + 8 + 6 + 4}, {"192.0.2.1", true, 20 + 8 + 10 + 4},
		{"2001:db8::1", false, 40 + 8 + 6 + 4}, {"2001:db8::1", true, 40 + 8 + 10 + 4},
		{"::ffff:192.0.2.1", false, 20 + 8 + 6 + 4},
	} {
		if got := overhead(netip.MustParseAddr(test.peer), test.numbered); got != test.want {
			t.Errorf("overhead(%s, %v) = %d, want %d", test.peer, test.numbered, got, test.want)
		}
	}
}

// TestPathMTU: without any traffic a tunnel finds out what its path takes, also when
// that becomes less later. It never believes in more again.
func TestPathMTU(t *testing.T) {
	discover := "tunnel profile modify profile_name=default do_pmtu_discovery=yes\n"
	inBubble(t, lnsConfig, "", func(w *dataplane.Wire, lns, lac *host) {
		w.Narrow(1400)
		lac.declare(discover + sessionsConfig(2))
		s := &scene{T: t, wire: w, lns: lns, lac: lac}
		for _, step := range []struct {
			after time.Duration
			path  int
			want  int
		}{
			{3 * time.Second, 1300, 1400}, {11 * time.Minute, 1500, 1300}, {time.Hour, 1500, 1300},
		} {
			pass(step.after)
			s.wantUp(2)
			s.wantPlane(lac, fmt.Sprintf("mtu %d ", step.want-38))
			s.wantPlane(lns, "mtu 1460 ") // it has not asked
			w.Narrow(step.path)
		}
	})
}

// TestPathMTUProbesAreFew: three in a round, and a round in ten minutes.
func TestPathMTUProbesAreFew(t *testing.T) {
	r := row{tunnel: " do_pmtu_discovery=yes", show: func(s *scene) {
		pass(time.Hour)
		n := len(s.frames(lacAddr, time.Time{}, "LCP Discard-Request"))
		if n < 18 || n > 21 {
			t.Errorf("%d Discard-Requests in an hour, want 3 in ten minutes", n)
		}
		s.wantUp(1)
	}}
	r.play(t, "tunnel", "")
}
