package kernel

import (
	"testing"

	"culvert/test/lab"
)

// TestCreateByNumber is the way for kernels that cannot name an interface as it
// is made.
func TestCreateByNumber(t *testing.T) {
	lab.RequireKernel(t)
	ns := lab.NewNetNS(t, "kn")
	err := ns.Do(func() error {
		k, err := Open()
		if err != nil {
			return err
		}
		defer k.Close()
		fd, err := openPPP()
		if err != nil {
			return err
		}
		u := &Unit{descriptor: descriptor{fd: fd}, name: "by-number"}
		defer u.Close()
		if err := u.createByNumber(t.Context(), k, 1300); err != nil {
			return err
		}
		l, err := k.Get(t.Context(), "by-number")
		if err == nil && (l.MTU != 1300 || l.Kind != "ppp") {
			t.Errorf("the interface is %+v, want MTU 1300 and kind ppp", l)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
