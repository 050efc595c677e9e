package engine

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestAlive: a shard that hangs is seen, and one that goes on again too.
func TestAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &Engine{}
		for i := range 2 {
			s := newShard(e, i)
			e.shards = append(e.shards, s)
			e.loops.Go(s.loop)
		}
		alive := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			return e.Alive(ctx)
		}
		if err := alive(); err != nil {
			t.Error(err)
		}
		hang := make(chan struct{})
		e.shards[1].mail.post(func() { <-hang })
		if err := alive(); err == nil || err.Error() != "waiting for 2 shards: only 1 turn" {
			t.Errorf("with one shard that hangs: %v", err)
		}
		close(hang)
		if err := alive(); err != nil {
			t.Error(err)
		}
		for _, s := range e.shards {
			s.mail.post(func() { s.stopped = true })
		}
		e.loops.Wait()
	})
}
