package engine

import (
	"fmt"
	"testing"

	"culvert/l2tp"
)

// BenchmarkListSessions reports what a page of 500 costs the shard that owns
// 50,000 sessions, in one tunnel or in as many.
func BenchmarkListSessions(b *testing.B) {
	for _, tunnels := range []int{1, 50_000} {
		b.Run(fmt.Sprint(tunnels, " tunnels"), func(b *testing.B) {
			s := newShard(&Engine{shards: make([]*shard, 1)}, 0)
			for i := range 50_000 {
				id := l2tp.TunnelID(1 + i%tunnels)
				t := s.tunnels[id]
				if t == nil {
					t = &tunnel{shard: s, sessions: make(map[l2tp.SessionID]*session)}
					s.tunnels[id] = t
				}
				sid := l2tp.SessionID(1 + i)
				t.sessions[sid] = &session{tunnel: t, id: sid}
			}
			for b.Loop() {
				found := 0
				for f := range s.from(int(20_000 % tunnels)) {
					if found += len(f.tunnel.after(20_000, 500-found)); found >= 500 {
						break
					}
				}
			}
		})
	}
}
