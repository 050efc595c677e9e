package lab

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// leakLimit is how long the kernel may take to remove what was deleted: it
// waits for grace periods.
const leakLimit = 10 * time.Second

// A State is what can be left in a namespace: lines of text by kind.
type State map[string][]string

// stateCommands print what belongs to no one once all sessions have ended.
var stateCommands = map[string][]string{
	"tunnel":     {"ip", "l2tp", "show", "tunnel"},
	"session":    {"ip", "l2tp", "show", "session"},
	"interface":  {"ip", "-br", "link"},
	"address":    {"ip", "-o", "addr"},
	"IPv4 route": {"ip", "-4", "route", "show", "table", "all"},
	"IPv6 route": {"ip", "-6", "route", "show", "table", "all"},
	"rule":       {"ip", "rule"},
	"ARP proxy":  {"ip", "neigh", "show", "proxy"},
}

// State returns what there is now of tunnels, sessions, interfaces, addresses
// and routes in the namespace.
func (n *NetNS) State() State {
	n.t.Helper()
	s := make(State)
	_, err := os.Stat("/sys/module/l2tp_netlink")
	for kind, args := range stateCommands {
		if err != nil && args[1] == "l2tp" {
			continue // without the module the command fails
		}
		s[kind] = stateLines(kind, n.Run(args[0], args[1:]...))
	}
	return s
}

// stateLines leaves out what comes and goes by itself: whether an interface is
// up, and link-local addresses, which appear a while after it is.
func stateLines(kind, output string) []string {
	var lines []string
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if strings.Contains(line, "fe80:") || strings.Contains(line, "multicast ff00::/8") {
			continue
		}
		if kind == "interface" {
			line, _, _ = strings.Cut(line, " ")
		}
		if kind == "address" { // "2: eth0    inet 192.0.2.1/24 scope global eth0\ valid_lft..."
			line, _, _ = strings.Cut(line, "\\")
			line = strings.Join(strings.Fields(line), " ")
		}
		lines = append(lines, line)
	}
	return lines
}

// CheckLeaks fails the test unless the namespace comes to hold again what it
// held before.
func (n *NetNS) CheckLeaks(t testing.TB, before State) {
	t.Helper()
	var left string
	for deadline := time.Now().Add(leakLimit); ; time.Sleep(pollInterval) {
		if left = n.Beyond(before); left == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("namespace %s is not as it was, %v later:\n%s", n.Name, leakLimit, left)
			return
		}
	}
}

// Beyond returns how the namespace differs from what it held before, in lines.
func (n *NetNS) Beyond(before State) string {
	n.t.Helper()
	return n.State().beyond(before)
}

// beyond returns what s has and before had not, and the other way around.
func (s State) beyond(before State) string {
	var b strings.Builder
	for kind, now := range s {
		for _, line := range without(now, before[kind]) {
			fmt.Fprintf(&b, "left: %s: %s\n", kind, line)
		}
		for _, line := range without(before[kind], now) {
			fmt.Fprintf(&b, "lost: %s: %s\n", kind, line)
		}
	}
	return b.String()
}

func without(lines, known []string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(line string) bool {
		return slices.Contains(known, line)
	})
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
