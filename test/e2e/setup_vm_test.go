package e2e

import (
	"fmt"
	"testing"
	"time"

	"culvert/test/lab"
)

// BenchmarkSetUp reports how many sessions a second come up on a culvertd with the
// kernel's data plane, from the first SCCRQ until all have IPv4, in 8 tunnels. The LAC is a
// culvertd too, whose sessions need nothing of the kernel. BenchmarkSetUp of package
// kernel is what the same kernel calls cost with no protocol around them.
func BenchmarkSetUp(b *testing.B) {
	for _, sessions := range []int{200, 1000, 2000} {
		b.Run(fmt.Sprintf("sessions=%d", sessions), func(b *testing.B) {
			const tunnels = 8
			lab.RequireKernel(b)
			var took time.Duration
			for range b.N {
				took += setUp(b, tunnels, sessions/tunnels)
			}
			b.ReportMetric(float64(b.N*sessions)/took.Seconds(), "sessions/s")
			b.ReportMetric(0, "ns/op") // starting and stopping is in it
		})
	}
}

func setUp(b *testing.B, tunnels, sessions int) time.Duration {
	lnsNS, lacNS := newHosts(b)
	lns := newSite(b, lnsNS, "kernel", lnsConfig("pool create pool_name=large addresses=10.10.0.0/16",
		"ppp profile modify profile_name=default ip_pool_name=large"),
		// A LAC may have half of the calls in set-up, and this one places all at once.
		"--max-setup", fmt.Sprint(2*tunnels*sessions))
	// It is told to come again with what the LNS cannot do in time.
	lac := newSite(b, lacNS, "null", join("tunnel profile modify profile_name=default persist=yes persist_max_delay=2",
		tunnelsConfig(lnsAddr, tunnels, sessions)))
	all := uint32(tunnels * sessions)
	for _, s := range []*site{lac, lns} {
		lab.Wait(b, 10*time.Minute, fmt.Sprintf("%d sessions to be up", all), func() error {
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
