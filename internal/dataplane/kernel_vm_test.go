package dataplane_test

import (
	"testing"

	"culvert/internal/dataplane"
	"culvert/internal/dataplane/dataplanetest"
	"culvert/kernel"
	"culvert/test/lab"
)

func newKernel(h dataplane.Handler) (dataplane.Dataplane, error) {
	return dataplane.NewKernel(h, dataplane.KernelOptions{})
}

func TestKernelContract(t *testing.T) {
	lab.RequireKernel(t)
	open := dataplanetest.Hosts(newKernel, true)
	dataplanetest.Contract(t, func(t *testing.T, a, b dataplane.Handler) *dataplanetest.Pair {
		p := open(t, a, b)
		p.Lose = deleteSession
		return p
	})
}

// deleteSession does what `ip l2tp del session` does.
func deleteSession(t testing.TB, s *dataplanetest.Side, id dataplane.SessionKey) {
	t.Helper()
	err := s.NetNS().Do(func() error {
		k, err := kernel.Open()
		if err != nil {
			return err
		}
		defer k.Close()
		return k.DeleteSession(t.Context(), uint16(id.Tunnel), uint16(id.Session))
	})
	if err != nil {
		t.Fatal(err)
	}
}
