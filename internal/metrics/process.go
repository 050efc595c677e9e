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
	processCPU = prometheus.NewDesc("process_cpu_seconds_total",
		"Total user and system CPU time spent in seconds.", nil, nil)
	processOpenFiles = prometheus.NewDesc("process_open_fds",
		"Number of open file descriptors.", nil, nil)
	processMaxFiles = prometheus.NewDesc("process_max_fds",
		"Maximum number of open file descriptors.", nil, nil)
	processVirtual = prometheus.NewDesc("process_virtual_memory_bytes",
		"Virtual memory size in bytes.", nil, nil)
	processMaxVirtual = prometheus.NewDesc("process_virtual_memory_max_bytes",
		"Maximum amount of virtual memory available in bytes.", nil, nil)
	processResident = prometheus.NewDesc("process_resident_memory_bytes",
		"Resident memory size in bytes.", nil, nil)
	processStart = prometheus.NewDesc("process_start_time_seconds",
		"Start time of the process since unix epoch in seconds.", nil, nil)
)

// A processCollector reads them.
type processCollector struct{}

func (processCollector) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{processCPU, processOpenFiles, processMaxFiles,
		processVirtual, processMaxVirtual, processResident, processStart} {
		descs <- d
	}
}

// Collect tells what can be read. The rest is left out, as the library does: a process that may
// open no more files is to be seen by its other metrics.
func (processCollector) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
	if n, err := openFiles(); err == nil {
		gauge(processOpenFiles, float64(n))
	}
	self, err := procfs.Self()
	if err != nil {
		return
	}
	if limits, err := self.Limits(); err == nil {
		gauge(processMaxFiles, float64(limits.OpenFiles))
		gauge(processMaxVirtual, float64(limits.AddressSpace))
	}
	stat, err := self.Stat()
	if err != nil {
		return
	}
	out <- prometheus.MustNewConstMetric(processCPU, prometheus.CounterValue, stat.CPUTime())
	gauge(processVirtual, float64(stat.VirtualMemory()))
	gauge(processResident, float64(stat.ResidentMemory()))
	if start, err := stat.StartTime(); err == nil {
		gauge(processStart, start)
	}
}

// openFiles counts this process's open files, the one that it needs for that left out. It
// makes no garbage of their names.
func openFiles() (n int, err error) {
	dir, err := os.Open("/proc/self/fd")
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
