package lab

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// An Output keeps what is written to it, for a test to read meanwhile. Any number of
// goroutines may use it. The zero Output is empty.
type Output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write never fails.
func (o *Output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

// String returns what was written so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// Wait returns when text was written. The test ends when it was not within the limit.
func (o *Output) Wait(t testing.TB, limit time.Duration, text string) {
	t.Helper()
	Wait(t, limit, fmt.Sprintf("%q to be written", text), func() error {
		if s := o.String(); !strings.Contains(s, text) {
			return fmt.Errorf("not in:\n%s", s)
		}
		return nil
	})
}
