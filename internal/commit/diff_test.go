package commit

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"culvert/internal/config"
)

func snapshot(t testing.TB, text string) *config.Snapshot {
	t.Helper()
	s, faults := Read(config.NewStore("machine"), "text", []byte(text))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return s
}

// Sessions without a name are told apart by what they are, whatever their order.
func TestDiffOfNamelessSessions(t *testing.T) {
	of := func(users ...string) *config.Snapshot {
		var text strings.Builder
		text.WriteString("tunnel create tunnel_name=t dest_ipaddr=::1\n")
		for _, u := range users {
			name, password, _ := strings.Cut(u, ":")
			fmt.Fprintf(&text, "session create tunnel_name=t user_name=%s user_password=%s\n", name, password)
		}
		return snapshot(t, text.String())
	}
	tests := map[string]struct {
		old, new *config.Snapshot
		want     string
	}{
		"another order": {of("a:1", "b:1", "a:2", "a:1"), of("a:1", "a:1", "a:2", "b:1"), ""},
		"one less":      {of("a:1", "a:2", "a:1"), of("a:1", "a:2"), "delete a:1"},
		"one more":      {of("a:1"), of("a:2", "a:1"), "create a:2"},
		"a password":    {of("a:1", "a:2"), of("a:3", "a:1"), "recreate a:2>a:3"},
		"a user":        {of("a:1", "b:1"), of("c:1", "a:1"), "delete b:1 create c:1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, c := range diff(tt.old, tt.new) {
				var is []string
				for _, m := range []any{c.old, c.new} {
					if s, ok := m.(interface {
						GetUserName() string
						GetUserPassword() string
					}); ok {
						is = append(is, s.GetUserName()+":"+s.GetUserPassword())
					}
				}
				got = append(got, actions[c.action]+" "+strings.Join(is, ">"))
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// manySessions is a configuration with so many declared sessions.
func manySessions(n int, more string) string {
	var text strings.Builder
	text.WriteString("tunnel create tunnel_name=t dest_ipaddr=::1\n")
	for i := range n {
		fmt.Fprintf(&text, "session create tunnel_name=t session_name=s%d user_name=u\n", i)
	}
	return text.String() + more
}

// Sessions without a name that are alike are compared about as fast as others, and
// not each with each other.
func TestDiffOfManyAlike(t *testing.T) {
	const n = 20000
	alike := func(password string) *config.Snapshot {
		return snapshot(t, "tunnel create tunnel_name=t dest_ipaddr=::1\n"+strings.Repeat(
			"session create tunnel_name=t user_name=u user_password="+password+"\n", n))
	}
	took := func(old, now *config.Snapshot, want int) time.Duration {
		began := time.Now()
		if got := len(diff(old, now)); got != want {
			t.Errorf("%d changes, want %d", got, want)
		}
		return time.Since(began)
	}
	named := took(snapshot(t, manySessions(n, "")), snapshot(t, manySessions(n, "")), 0)
	a, again, b := alike("a"), alike("a"), alike("b")
	same, other := took(a, again, 0), took(a, b, n)
	if limit := 20*named + 3*time.Second; same > limit || other > limit {
		t.Errorf("the same took %v, with another password %v; those with names %v", same, other, named)
	}
}

// BenchmarkPlan compares two configurations of 50,000 sessions that were read apart and
// differ in a profile.
func BenchmarkPlan(b *testing.B) {
	old := snapshot(b, manySessions(50000, ""))
	now := snapshot(b, manySessions(50000, "tunnel profile create profile_name=p\n"))
	for b.Loop() {
		p := newPlan(old, now)
		if len(p.changes) != 1 || len(p.warnings()) != 0 {
			b.Fatal(describe(messages(p.changes)))
		}
	}
}
