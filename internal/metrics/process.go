package metrics

import (
	"encoding/binary"
	"os"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/procfs"
)

// What every exporter tells of its process, with the names that the library's own collector
// gives. That one makes a string of each open file at each scrape, on kernels before 6.2: of
// three for each session.
var (
	processCPU = counter("process_cpu_seconds_total",
		"Total user and system CPU time spent in seconds.")
	processOpenFiles  = gauge("process_open_fds", "Number of open file descriptors.")
	processMaxFiles   = gauge("process_max_fds", "Maximum number of open file descriptors.")
	processVirtual    = gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.")
	processMaxVirtual = gauge("process_virtual_memory_max_bytes",
		"Maximum amount of virtual memory available in bytes.")
	processResident = gauge("process_resident_memory_bytes", "Resident memory size in bytes.")
	processStart    = gauge("process_start_time_seconds",
		"Start time of the process since unix epoch in seconds.")
)

// A processCollector reads them.
type processCollector struct{}

func (processCollector) Describe(descs chan<- *prometheus.Desc) {
	for _, m := range []*Metric{processCPU, processOpenFiles, processMaxFiles,
		processVirtual, processMaxVirtual, processResident, processStart} {
		descs <- m.desc
	}
}

// Collect tells what can be read. The rest is left out, as the library does: a process that may
// open no more files is to be seen by its other metrics.
func (processCollector) Collect(out chan<- prometheus.Metric) {
	if n, err := openFiles(); err == nil {
		out <- processOpenFiles.of(float64(n))
	}
	self, err := procfs.Self()
	if err != nil {
		return
	}
	if limits, err := self.Limits(); err == nil {
		out <- processMaxFiles.of(float64(limits.OpenFiles))
		out <- processMaxVirtual.of(float64(limits.AddressSpace))
	}
	stat, err := self.Stat()
	if err != nil {
		return
	}
	out <- processCPU.of(stat.CPUTime())
	out <- processVirtual.of(float64(stat.VirtualMemory()))
	out <- processResident.of(float64(stat.ResidentMemory()))
	if start, err := stat.StartTime(); err == nil {
		out <- processStart.of(start)
	}
}

// openFilesDir has an entry for each open file of this process.
const openFilesDir = "/proc/self/fd"

// openFiles is how many files this process has open. Kernels from 6.2 on have it as the size of
// the directory.
func openFiles() (n int, err error) {
	if dir, err := os.Stat(openFilesDir); err == nil && dir.Size() > 0 {
		return int(dir.Size()), nil
	}
	return countOpenFiles()
}

// countOpenFiles counts this process's open files, the one that it needs for that left out. It
// makes no garbage of their names.
func countOpenFiles() (n int, err error) {
	dir, err := os.Open(openFilesDir)
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	const others = 3 // ".", ".." and dir
	b := make([]byte, 16<<10)
	for {
		length, err := syscall.Getdents(int(dir.Fd()), b)
		if err != nil {
			return 0, os.NewSyscallError("getdents", err)
		}
		if length == 0 {
			return n - others, nil
		}
		n += countEntries(b[:length])
	}
}

// countEntries counts the entries of a directory in what getdents64(2) gave: each has its
// length behind an inode's number and an offset of 8 bytes.
func countEntries(b []byte) (n int) {
	const lengthAt = 16
	for ; len(b) >= lengthAt+2; n++ {
		length := int(binary.NativeEndian.Uint16(b[lengthAt:]))
		b = b[min(max(length, lengthAt+2), len(b)):]
	}
	return n
}
