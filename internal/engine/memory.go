package engine

import (
	"context"
	"runtime/debug"
	"time"
)

// burstSize is how many sessions must have come or gone for memory to be given back
// after it: what they leave behind is some megabytes.
const burstSize = 1000

// lookInterval is how often ReturnMemory looks for the end of a burst.
const lookInterval = 10 * time.Second

// ReturnMemory gives the system what a burst of set-ups or teardowns has left, as soon
// as it is over, until ctx is done. Without it garbage stays for two minutes until it
// is collected, its pages for many more, and journals as large as they were. While sessions
// come and go all the time all that is used again, and nothing is done.
func (e *Engine) ReturnMemory(ctx context.Context) error {
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	var b burst
	for {
		select {
		case <-ticker.C:
			if b.isOver(e.movements()) {
				e.packJournals(ctx)
				debug.FreeOSMemory()
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// movements is how many sessions have come and gone since the start.
func (e *Engine) movements() uint64 {
	created := e.count.sessionsCreated.Load()
	return 2*created - uint64(e.count.sessions.Load())
}

// A burst is what ReturnMemory knows of sessions that come and go.
type burst struct {
	seen     uint64 // movements at the last look
	returned uint64 // when memory was last given back
}

// isOver is asked at each look.
func (b *burst) isOver(movements uint64) bool {
	quiet := movements == b.seen
	b.seen = movements
	if !quiet || movements-b.returned < burstSize {
		return false
	}
	b.returned = movements
	return true
}
