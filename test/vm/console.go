package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
)

// A tail keeps the last bytes written to it.
type tail struct {
	max int

	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if len(t.b) > t.max {
		t.b = append([]byte(nil), t.b[len(t.b)-t.max:]...)
	}
	return len(p), nil
}

// lines returns the last n lines.
func (t *tail) lines(n int) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := strings.Split(strings.TrimRight(strings.ReplaceAll(string(t.b), "\r", ""), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-n):], "\n")
}

var complaint = regexp.MustCompile(`(?m)^.*(WARNING: |BUG: |Oops|INFO: task .* blocked|` +
	`rcu.*stall|Out of memory|unregister_netdevice).*$`)

// warn prints what the kernel complained about although the command ended.
func (t *tail) warn() {
	if all := t.lines(1000); complaint.MatchString(all) {
		fmt.Fprintf(os.Stderr, "vm: the kernel complained; its console:\n%s\n", all)
	}
}
