package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"culvert/test/lab"
)

// linksIn opens a handle in a namespace of its own.
func linksIn(t *testing.T) (*lab.NetNS, *Links) {
	t.Helper()
	lab.RequireRoot(t)
	ns := lab.NewNetNS(t, "kl")
	var l *Links
	err := ns.Do(func() (err error) {
		l, err = OpenLinks()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return ns, l
}

// TestRemovals removes more interfaces at once than go by one command. Those that
// somebody else has removed hold nobody up, and every descriptor is closed. What
// was not to go stays.
func TestRemovals(t *testing.T) {
	const n = 2*maxRemoved + 10
	ns, l := linksIn(t)
	var batch strings.Builder
	for i := range n + 1 {
		fmt.Fprintf(&batch, "link add d%d type veth peer name p%d\n", i, i)
	}
	ns.Run("sh", "-c", "printf '"+strings.ReplaceAll(batch.String(), "\n", `\n`)+"' | ip -batch -")
	var indexes []int
	for i := range n {
		index, err := l.Index(fmt.Sprintf("d%d", i))
		if err != nil {
			t.Fatal(err)
		}
		indexes = append(indexes, index)
	}
	ns.Run("ip", "link", "del", "d3")
	var closed atomic.Int32
	var wg sync.WaitGroup
	failure := errors.New("not closed")
	for i, index := range indexes {
		wg.Go(func() {
			one := &removal{index: index, close: func() error {
				closed.Add(1)
				if i == 5 {
					return failure
				}
				return nil
			}}
			if l.removals.do(one); (one.err != nil) != (i == 5) {
				t.Errorf("removing interface %d: %v", i, one.err)
			}
			if _, err := l.Index(fmt.Sprintf("d%d", i)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("interface %d is there after its removal: %v", i, err)
			}
		})
	}
	wg.Wait()
	if closed.Load() != n {
		t.Errorf("%d descriptors are closed, want %d", closed.Load(), n)
	}
	if _, err := l.Index(fmt.Sprintf("d%d", n)); err != nil {
		t.Errorf("another interface: %v", err)
	}
}

// TestHostAddresses: ours can be told from an operator's, and theirs are never removed.
func TestHostAddresses(t *testing.T) {
	ns, l := linksIn(t)
	ours, theirs := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	ns.Run("ip", "addr", "add", "10.0.0.2/32", "dev", "lo")
	if err := l.Apply(t.Context(), AddHostAddress(ours)); err != nil {
		t.Fatal(err)
	}
	for _, a := range []netip.Addr{ours, theirs} {
		if err := l.Apply(t.Context(), AddHostAddress(a)); !errors.Is(err, fs.ErrExist) {
			t.Errorf("adding %v again: %v, want %v", a, err, fs.ErrExist)
		}
	}
	got, err := l.HostAddresses(t.Context())
	if want := []netip.Addr{ours}; err != nil || !slices.Equal(got, want) {
		t.Errorf("addresses of ours: %v, %v, want %v", got, err, want)
	}
	for _, a := range []netip.Addr{ours, theirs, ours} { // what is gone is no error
		if err := l.Apply(t.Context(), DeleteHostAddress(a)); err != nil {
			t.Errorf("deleting %v: %v", a, err)
		}
	}
	out := ns.Run("ip", "-4", "addr", "show", "dev", "lo")
	if strings.Contains(out, "10.0.0.1/") || !strings.Contains(out, "10.0.0.2/32") {
		t.Errorf("lo has %s, want the operator's address only", out)
	}
}
