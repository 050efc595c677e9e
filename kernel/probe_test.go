package kernel

import (
	"errors"
	"os"
	"strings"
	"testing"
)

func TestProbeSaysWhatToDo(t *testing.T) {
	n := need{"such a thing", []string{"no_such_module_1", "no_such_module_2"}, func() error {
		return errors.New("not there")
	}}
	f := n.probe()
	if f.OK || f.Name != "such a thing" || !strings.HasPrefix(f.Detail, "not there; load module no_such_module_2: ") {
		t.Errorf("finding %+v", f)
	}
	for _, want := range []string{kernelRelease(), "no_such_module_1 no_such_module_2", "linux-image-"} {
		if !strings.Contains(f.Fix, want) {
			t.Errorf("fix %q does not name %q", f.Fix, want)
		}
	}
	if strings.Contains(f.Detail+f.Fix, "\n") {
		t.Errorf("more than a line: %q, %q", f.Detail, f.Fix)
	}
}

// TestProbeDevice wants a device node only where there is something behind it.
func TestProbeDevice(t *testing.T) {
	_, before := os.Stat(pppDevice)
	missing := testDevice()
	_, after := os.Stat(pppDevice)
	switch {
	case missing == nil && after != nil:
		t.Errorf("%s: %v, though the kernel has PPP", pppDevice, after)
	case missing != nil && (before == nil) != (after == nil):
		t.Errorf("%s: %v, and after a probe that found no PPP: %v", pppDevice, before, after)
	}
}
