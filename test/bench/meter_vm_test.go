package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// family is a process and all that descend from it.
func family(t testing.TB, pid int) []int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	children := make(map[int][]int)
	for _, file := range stats {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		var id, parent int
		var state string
		// "pid (name) state ppid ...": the name may have anything in it.
		if at := bytes.LastIndexByte(b, ')'); at > 0 {
			fmt.Sscan(string(b), &id)
			fmt.Sscan(string(b[at+1:]), &state, &parent)
			children[parent] = append(children[parent], id)
		}
	}
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}

// residentBytes is the proportional set size of processes: what they share counts once.
func residentBytes(pids []int) (sum float64) {
	for _, pid := range pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			continue
		}
		sum += field(b, "Pss:")
	}
	return sum
}

// kernelBytes is what the kernel has of its own for objects.
func kernelBytes(t testing.TB) float64 {
	t.Helper()
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		t.Fatal(err)
	}
	return field(b, "Slab:") + field(b, "Percpu:")
}

// settledKernelBytes is kernelBytes once what was there before has gone.
func settledKernelBytes(t testing.TB) float64 {
	t.Helper()
	return settled(func() float64 { return kernelBytes(t) })
}

// settled is a number of bytes once it falls no more, or after half a minute.
func settled(bytes func() float64) (now float64) {
	const noise, look, patience = 1 << 18, time.Second, 30
	now = bytes()
	for range patience {
		last := now
		time.Sleep(look)
		if now = bytes(); now > last-noise {
			return now
		}
	}
	return now
}

// field reads a line "NAME: N kB" and returns bytes.
func field(text []byte, name string) float64 {
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == name {
			n, _ := strconv.ParseFloat(f[1], 64)
			return n * 1024
		}
	}
	return 0
}

// allowDescriptors lets this process have three for each session.
func allowDescriptors(t testing.TB) {
	t.Helper()
	limit := syscall.Rlimit{Cur: 1 << 18, Max: 1 << 18}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
}

// tick is the unit of /proc/stat.
const tick = 10 * time.Millisecond

// busyTime is the time for which the machine's processors were not idle, together.
func busyTime(t testing.TB) time.Duration {
	t.Helper()
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(b), "\n")
	f := strings.Fields(line) // cpu user nice system idle iowait irq softirq steal
	sum := time.Duration(0)
	for i, word := range f[1:min(len(f), 8)] {
		if i == 3 || i == 4 {
			continue
		}
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			t.Fatalf("reading /proc/stat: %v", err)
		}
		sum += time.Duration(n) * tick
	}
	return sum
}
