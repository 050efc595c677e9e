package kernel

import (
	"time"

	"golang.org/x/sys/unix"
)

// BootTime returns how long ago this machine was booted, the time that it slept
// included. Unlike the time of day nobody sets it, and all processes see the same.
func BootTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		panic("kernel: reading CLOCK_BOOTTIME: " + err.Error()) // it is there since Linux 2.6.39
	}
	return time.Duration(t.Nano())
}
