package service

import (
	"log/slog"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// What our unit files ask systemd for (LimitNOFILE) is enough for 300,000 sessions. Under the
// other one an LNS may well feel it.
const (
	enoughOpenFiles = 1 << 20
	fewOpenFiles    = 1 << 16
)

// RaiseOpenFiles lets the process open as many files as its unit file says, and returns how
// many it may open then. A shell, or an init that is not systemd, may allow few: 4,096
// are 1,365 sessions. Who has no CAP_SYS_RESOURCE keeps the limit, and log is told if
// that is low.
func RaiseOpenFiles(log *slog.Logger) uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		log.Warn("the limit of open files is not known", "err", err)
		return 0
	}
	if want := min(enoughOpenFiles, kernelOpenFiles()); limit.Max < want {
		raised := syscall.Rlimit{Cur: want, Max: want}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &raised); err == nil {
			limit = raised
		} else if limit.Max < fewOpenFiles {
			log.Info("few files may be open at once", "limit", limit.Max, "raising_it", err)
		}
	}
	return limit.Max // the run time has made Cur the same
}

// kernelOpenFiles is the limit that no process may exceed.
func kernelOpenFiles() uint64 {
	text, err := os.ReadFile("/proc/sys/fs/nr_open")
	if err != nil {
		return enoughOpenFiles
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return enoughOpenFiles
	}
	return n
}
