package e2e

import (
	"fmt"
	"testing"
	"time"

	"culvert/test/lab"
)

// BenchmarkSetUp reports how many sessions a second come up, from the first
// SCCRQ until all have IPv4, between two culvertds on the kernel's data plane:
// 1,000 sessions in 8 tunnels. BenchmarkSetUp of package kernel is what the same
// kernel calls cost with no protocol around them.
func BenchmarkSetUp(b *testing.B) {
	const tunnels, sessions = 8, 1000
	lab.RequireKernel(b)
	var took time.Duration
	for range b.N {
		took += setUp(b, tunnels, sessions/tunnels)
	}
	b.ReportMetric(float64(b.N*sessions)/took.Seconds(), "sessions/s")
	b.ReportMetric(0, "ns/op") // starting and stopping is in it
}

func setUp(b *testing.B, tunnels, sessions int) time.Duration {
	lnsNS, lacNS := newHosts(b)
	lns := newSite(b, lnsNS, "kernel", lnsConfig())
	lac := newSite(b, lacNS, "kernel", tunnelsConfig(lnsAddr, tunnels, sessions))
	all := uint32(tunnels * sessions)
	for _, s := range []*site{lac, lns} {
		lab.Wait(b, 5*time.Minute, fmt.Sprintf("%d sessions to be up", all), func() error {
			if n := s.System().GetSessionsUp(); n < all {
				return fmt.Errorf("%d are", n)
			}
			return nil
		})
	}
	done := time.Now()
	begun := done
	for _, t := range lac.Tunnels() {
		if at := t.GetStatus().GetCreatedAt().AsTime(); at.Before(begun) {
			begun = at
		}
	}
	stopping := time.Now()
	for _, s := range []*site{lac, lns} {
		if err := s.Stop(); err != nil {
			b.Error(err)
		}
	}
	b.Logf("up in %v, stopped in %v", done.Sub(begun), time.Since(stopping))
	return done.Sub(begun)
}
