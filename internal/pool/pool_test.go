package pool_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"culvert/internal/pool"
)

func configured(t testing.TB, c pool.Config) *pool.Pools {
	t.Helper()
	p := pool.New()
	if err := p.Configure([]pool.Config{c}); err != nil {
		t.Fatal(err)
	}
	return p
}

func allocate(t testing.TB, p *pool.Pools, user string) netip.Addr {
	t.Helper()
	a, err := p.Allocate("p", user)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestFirstFit(t *testing.T) {
	p := configured(t, pool.Config{
		Name:      "p",
		Addresses: []string{"10.0.0.0/29", "10.0.1.5-10.0.1.6", "10.0.2.1"},
		Reserved:  []string{"10.0.0.2-10.0.0.3"},
	})
	want := []string{"10.0.0.1", "10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.1.5", "10.0.1.6", "10.0.2.1"}
	for _, w := range want {
		if got := allocate(t, p, ""); got.String() != w {
			t.Errorf("Allocate = %s, want %s", got, w)
		}
	}
	if _, err := p.Allocate("p", ""); !errors.Is(err, pool.ErrExhausted) {
		t.Errorf("Allocate from an empty pool: %v", err)
	}
	s, _ := p.Status("p")
	if s.Total != 7 || s.Allocated != 7 || s.Free != 0 || s.Allocations != 7 || s.Failures != 1 {
		t.Errorf("Status = %+v", s)
	}
}

func TestSticky(t *testing.T) {
	p := configured(t, pool.Config{Name: "p", Addresses: []string{"10.0.0.0/30"}})
	alice, bob := allocate(t, p, "alice"), allocate(t, p, "bob")
	p.Release("p", alice)
	p.Release("p", bob)
	if got := allocate(t, p, "bob"); got != bob {
		t.Errorf("bob came back and got %s, want %s", got, bob)
	}
	if got := allocate(t, p, "carol"); got != alice {
		t.Errorf("carol got %s, want the last free one, %s", got, alice)
	}
	if _, err := p.Allocate("p", "alice"); !errors.Is(err, pool.ErrExhausted) {
		t.Errorf("alice: %v, want that nothing is free", err)
	}
}

// Somebody new gets an address that nobody remembers, if there is one.
func TestNewUserLeavesOldAddresses(t *testing.T) {
	p := configured(t, pool.Config{Name: "p", Addresses: []string{"10.0.0.0/29"}})
	a := allocate(t, p, "alice")
	p.Release("p", a)
	if b := allocate(t, p, "bob"); b == a {
		t.Errorf("bob got alice's %s while others were free", b)
	}
}

func TestClaim(t *testing.T) {
	p := configured(t, pool.Config{Name: "p", Addresses: []string{"10.0.0.0/29"},
		Reserved: []string{"10.0.0.1"}})
	fixed, outside := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.9.9.9")
	for range 2 {
		if err := p.Claim("p", fixed, ""); err != nil {
			t.Fatal(err)
		}
		if err := p.Claim("p", fixed, "bob"); !errors.Is(err, pool.ErrInUse) {
			t.Errorf("Claim of an address in use: %v", err)
		}
		p.Release("p", fixed)
		if got := allocate(t, p, "carol"); got == fixed {
			t.Errorf("a reserved address was given out: %s", got)
		}
	}
	if err := p.Claim("p", outside, "alice"); !errors.Is(err, pool.ErrNotInPool) {
		t.Errorf("Claim of an address that is not in the pool: %v", err)
	}
}

func TestReconfigure(t *testing.T) {
	p := configured(t, pool.Config{Name: "p", Addresses: []string{"10.0.0.0/30"}})
	a := allocate(t, p, "alice")
	b := allocate(t, p, "bob")
	if err := p.Configure([]pool.Config{{Name: "p", Addresses: []string{"bad"}}}); err == nil {
		t.Fatal("a wrong configuration was accepted")
	}
	if err := p.Configure([]pool.Config{{Name: "p", Addresses: []string{"10.0.0.2-10.0.0.9"}}}); err != nil {
		t.Fatal(err)
	}
	if got := allocate(t, p, "carol"); got == a || got == b {
		t.Errorf("%s was given out twice", got)
	}
	if s, _ := p.Status("p"); s.Allocations != 3 || s.Allocated != 3 {
		t.Errorf("Status = %+v, want 3 allocations, from before and after", s)
	}
	p.Release("p", a) // is in no block any more
	p.Release("p", b)
	if got := allocate(t, p, "bob"); got != b {
		t.Errorf("bob got %s, want %s", got, b)
	}
	if err := p.Configure(nil); err != nil {
		t.Fatal(err)
	}
	if err := p.Configure([]pool.Config{{Name: "p", Addresses: []string{"10.0.0.2"}}}); err != nil {
		t.Fatal(err)
	}
	if got, err := p.Allocate("p", "x"); !errors.Is(err, pool.ErrExhausted) {
		t.Errorf("Allocate = %s, %v: the pool was away and forgot what is in use", got, err)
	}
}

func TestConfigErrors(t *testing.T) {
	for _, addresses := range [][]string{
		{"10.0.0.0/8"}, {"10.0.0.0/24", "10.0.0.128/25"}, {"10.0.0.9-10.0.0.1"}, {"x"}, {"2001:db8::/64"},
	} {
		if err := pool.Check(pool.Config{Name: "p", Addresses: addresses}); err == nil {
			t.Errorf("Check(%v) = nil", addresses)
		}
	}
}

func TestIPv6(t *testing.T) {
	p := configured(t, pool.Config{Name: "p", Addresses: []string{"2001:db8::ffff:ffff:ffff:fffe-2001:db8:0:1::1"}})
	var got []string
	for range 4 {
		got = append(got, allocate(t, p, "").String())
	}
	want := "[2001:db8::ffff:ffff:ffff:fffe 2001:db8::ffff:ffff:ffff:ffff 2001:db8:0:1:: 2001:db8:0:1::1]"
	if fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// Nobody gets an address that another pool has given out, whether or not that pool is
// still configured.
func TestOverlappingPools(t *testing.T) {
	p := pool.New()
	q := pool.Config{Name: "q", Addresses: []string{"10.0.0.2-10.0.0.4"}}
	configs := []pool.Config{{Name: "p", Addresses: []string{"10.0.0.1-10.0.0.3"}}, q}
	if err := p.Configure(configs); err != nil {
		t.Fatal(err)
	}
	if got, _ := p.Allocate("q", "x"); got.String() != "10.0.0.2" {
		t.Fatalf("Allocate = %s, want 10.0.0.2", got)
	}
	if err := p.Claim("p", netip.MustParseAddr("10.0.0.2"), "y"); !errors.Is(err, pool.ErrInUse) {
		t.Errorf("Claim of what the other pool gave out: %v, want %v", err, pool.ErrInUse)
	}
	if s, _ := p.Status("p"); s.Free != 2 || s.Total != 3 {
		t.Errorf("Status = %+v, want 2 of 3 free", s)
	}
	if err := p.Configure(configs[:1]); err != nil { // q goes; its address is in use
		t.Fatal(err)
	}
	for _, want := range []string{"10.0.0.1", "10.0.0.3"} {
		if got := allocate(t, p, ""); got.String() != want {
			t.Errorf("Allocate = %s, want %s", got, want)
		}
	}
	if a, err := p.Allocate("p", ""); !errors.Is(err, pool.ErrExhausted) {
		t.Errorf("Allocate = %s, %v: the other pool's address is in use", a, err)
	}
	p.Release("q", netip.MustParseAddr("10.0.0.2"))
	if got := allocate(t, p, ""); got.String() != "10.0.0.2" {
		t.Errorf("Allocate = %s, want 10.0.0.2, which came back", got)
	}
}

func TestMaxAddrs(t *testing.T) {
	p := configured(t, pool.Config{Name: "p", Addresses: []string{"10.0.0.0/24"}, MaxAddrs: 2})
	a := allocate(t, p, "")
	allocate(t, p, "")
	if _, err := p.Allocate("p", ""); !errors.Is(err, pool.ErrFull) {
		t.Errorf("a third Allocate: %v, want %v", err, pool.ErrFull)
	}
	if err := p.Claim("p", netip.MustParseAddr("10.0.0.9"), ""); !errors.Is(err, pool.ErrFull) {
		t.Errorf("a third address by Claim: %v, want %v", err, pool.ErrFull)
	}
	if s, _ := p.Status("p"); s.Free != 0 || s.Total != 254 {
		t.Errorf("Status = %+v, want none of 254 free", s)
	}
	p.Release("p", a)
	allocate(t, p, "")
}

// What is in use when it is reserved stays in use, and is not given out again.
func TestReserveWhileInUse(t *testing.T) {
	c := pool.Config{Name: "p", Addresses: []string{"10.0.0.0/30"}}
	p := configured(t, c)
	a := allocate(t, p, "alice")
	c.Reserved = []string{a.String()}
	if err := p.Configure([]pool.Config{c}); err != nil {
		t.Fatal(err)
	}
	if s, _ := p.Status("p"); s.Allocated != 1 || s.Total != 1 || s.Free != 1 {
		t.Errorf("Status = %+v, want 1 allocated, 1 of 1 free", s)
	}
	p.Release("p", a)
	if got := allocate(t, p, "alice"); got == a {
		t.Errorf("alice got %s again, which is reserved now", got)
	}
}

func TestTrace(t *testing.T) {
	for trace, want := range map[bool]string{
		false: "",
		true: `level=INFO msg="address given out" pool=p address=10.0.0.1 user=alice in_use=1
level=INFO msg="address given back" pool=p address=10.0.0.1 user=alice in_use=0
level=INFO msg="address given out" pool=p address=10.0.0.2 user=bob in_use=1
`} {
		var log strings.Builder
		noTime := func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}
		p := configured(t, pool.Config{Name: "p", Addresses: []string{"10.0.0.0/29"}, Trace: trace})
		p.LogTo(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: noTime})))
		p.Release("p", allocate(t, p, "alice"))
		if err := p.Claim("p", netip.MustParseAddr("10.0.0.2"), "bob"); err != nil {
			t.Fatal(err)
		}
		p.Release("p", netip.MustParseAddr("10.0.0.5")) // nobody has it
		if log.String() != want {
			t.Errorf("with Trace %t the log is:\n%s\nwant:\n%s", trace, &log, want)
		}
	}
}

func BenchmarkAllocate(b *testing.B) {
	p := configured(b, pool.Config{Name: "p", Addresses: []string{"10.0.0.0/16"}})
	users := make([]string, 60000)
	for i := range users {
		users[i] = fmt.Sprint("user", i)
		if _, err := p.Allocate("p", users[i]); err != nil {
			b.Fatal(err)
		}
	}
	for i := 0; b.Loop(); i++ {
		user := users[i%len(users)]
		a, _ := p.Allocate("p", user)
		p.Release("p", a)
	}
}
