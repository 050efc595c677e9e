package lab

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// leakLimit is how long the kernel may take to remove what was deleted: it
// waits for grace periods.
const leakLimit = 10 * time.Second

// A State is what can be left in a namespace, as text.
type State struct {
	parts map[string]string
}

// stateCommands print what belongs to no one once all sessions have ended.
var stateCommands = map[string][]string{
	"tunnels":    {"ip", "l2tp", "show", "tunnel"},
	"sessions":   {"ip", "l2tp", "show", "session"},
	"interfaces": {"ip", "-br", "link"},
	"routes":     {"ip", "route", "show", "table", "all"},
	"routes6":    {"ip", "-6", "route", "show", "table", "all"},
	"addresses":  {"ip", "-br", "addr"},
	"rules":      {"ip", "rule"},
}

// State returns what there is now of tunnels, sessions, interfaces, addresses
// and routes in the namespace.
func (n *NetNS) State() State {
	n.t.Helper()
	s := State{make(map[string]string)}
	for name, args := range stateCommands {
		if name == "tunnels" || name == "sessions" {
			if _, err := os.Stat("/sys/module/l2tp_netlink"); err != nil {
				continue
			}
		}
		s.parts[name] = n.Run(args[0], args[1:]...)
	}
	return s
}

// CheckLeaks fails the test unless the namespace comes to hold again what it
// held before, and no PPP interface.
func (n *NetNS) CheckLeaks(t testing.TB, before State) {
	t.Helper()
	var left string
	for deadline := time.Now().Add(leakLimit); ; time.Sleep(pollInterval) {
		if left = n.State().beyond(before); left == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("left in namespace %s after %v:\n%s", n.Name, leakLimit, left)
			return
		}
	}
}

// beyond returns the differences of s from what was before, in both
// directions.
func (s State) beyond(before State) string {
	var b strings.Builder
	for name, now := range s.parts {
		then := before.parts[name]
		if now != then {
			fmt.Fprintf(&b, "%s: have:\n%swant:\n%s", name, now, then)
		}
	}
	return b.String()
}

// OpenFiles returns what the descriptors of a process refer to, without those
// of the run time itself.
func OpenFiles(pid int) ([]string, error) {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		file, err := os.Readlink(dir + "/" + e.Name())
		if err != nil || strings.HasPrefix(file, "anon_inode:") || file == dir {
			continue
		}
		files = append(files, file)
	}
	return files, nil
}

// KernelFiles returns how many of the process's descriptors are sockets, and
// how many are /dev/ppp: what tunnels and sessions hold.
func KernelFiles(t testing.TB, pid int) (sockets, ppp int) {
	t.Helper()
	files, err := OpenFiles(pid)
	if err != nil {
		t.Fatalf("listing descriptors: %v", err)
	}
	for _, file := range files {
		switch {
		case strings.HasPrefix(file, "socket:"):
			sockets++
		case file == "/dev/ppp":
			ppp++
		}
	}
	return sockets, ppp
}
