package lab

import (
	"fmt"
	"runtime"
	"testing"
)

// A verdict stands for a test that may be skipped or failed.
type verdict struct {
	testing.TB
	word string
}

func (v *verdict) Helper() {}

func (v *verdict) Skipf(format string, args ...any) {
	v.word = "skip"
	runtime.Goexit()
}

func (v *verdict) Fatalf(format string, args ...any) {
	v.word = "fail: " + fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// TestMissing asks for a program that no host has, and for a kernel where
// variables say what there is.
func TestMissing(t *testing.T) {
	for _, c := range []struct {
		root, kernel string
		program      string
		l2tp         string
	}{
		{"", "", "skip", "skip"},
		{"1", "", "fail: CULVERT_TEST_ROOT=1, but the program no-such is not installed", "skip"},
		{"", "1", "fail: CULVERT_TEST_KERNEL=1, but the program no-such is not installed",
			"fail: CULVERT_TEST_KERNEL=1, but no L2TP"},
	} {
		t.Setenv(rootVariable, c.root)
		t.Setenv(kernelVariable, c.kernel)
		program := judge(func(v *verdict) { RequireProgram(v, "no-such") })
		l2tp := judge(func(v *verdict) { missing(v, "no L2TP", kernelVariable) })
		if program != c.program || l2tp != c.l2tp {
			t.Errorf("root %q, kernel %q: %q and %q, want %q and %q",
				c.root, c.kernel, program, l2tp, c.program, c.l2tp)
		}
	}
}

func judge(f func(*verdict)) string {
	v := &verdict{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(v)
	}()
	<-done
	return v.word
}
