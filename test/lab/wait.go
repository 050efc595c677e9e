package lab

import (
	"testing"
	"time"
)

// pollInterval is short for a test and long for a virtual machine.
const pollInterval = 20 * time.Millisecond

// Wait returns when the condition holds. The test ends when it does not within
// the limit. The condition returns what is missing, or nil.
func Wait(t testing.TB, limit time.Duration, what string, missing func() error) {
	t.Helper()
	start := time.Now()
	for {
		err := missing()
		if err == nil {
			return
		}
		if time.Since(start) > limit {
			t.Fatalf("waiting for %s: not after %v: %v", what, limit, err)
		}
		select {
		case <-t.Context().Done():
			t.Fatalf("waiting for %s: the test ended: %v", what, err)
		case <-time.After(pollInterval):
		}
	}
}
