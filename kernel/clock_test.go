package kernel

import (
	"testing"
	"time"
)

func TestBootTime(t *testing.T) {
	before, began := BootTime(), time.Now()
	for time.Since(began) < time.Millisecond { // it is a clock
	}
	if gone := BootTime() - before; before <= 0 || gone < time.Millisecond || gone > time.Minute {
		t.Errorf("%v after the boot, and %v have passed", before, gone)
	}
}
