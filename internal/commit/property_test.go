package commit

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"culvert/api"
	"culvert/internal/management"
)

// drawConfiguration draws a configuration of a few tunnels and sessions, each of which may be
// there or not and have this or that.
func drawConfiguration(t *rapid.T) string {
	pick := func(words ...string) string { return rapid.SampledFrom(words).Draw(t, "word") }
	var b strings.Builder
	b.WriteString(pick("", "# a comment\n", "system modify max_sessions=70\n"))
	b.WriteString("tunnel profile create profile_name=p" + pick("", " hello_timeout=20") + "\n")
	b.WriteString(pick("", "user create user_name=u user_password="+pick("x", "'a b'", `";#"`)+"\n"))
	for _, name := range []string{"one", "two", "three"} {
		if pick("", "there", "there") == "" {
			continue
		}
		fmt.Fprintf(&b, "tunnel create tunnel_name=%s dest_ipaddr=192.0.2.%s%s%s\n", name, pick("1", "2"),
			pick("", " persist=yes"), pick("", " profile_name=p"))
		for _, s := range []string{"a", "b"} {
			if pick("", "there", "there") != "" {
				fmt.Fprintf(&b, "session create tunnel_name=%s session_name=%s%s%s\n", name, s,
					pick("", " user_name=v"), pick("", " sequencing_required=yes"))
			}
		}
		for range rapid.IntRange(0, 2).Draw(t, "nameless") {
			fmt.Fprintf(&b, "session create tunnel_name=%s user_name=%s user_password=%s\n", name,
				pick("v", "w"), pick("x", "y"))
		}
	}
	return b.String()
}

// isThere says what there is: without identifiers, which say when it was made.
func (s *stage) isThere() []string {
	var all []string
	for what := range strings.FieldsSeq(s.live()) {
		name, _, _ := strings.Cut(what, "=")
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// isDeclared says what there is to be, in the same way.
func (s *stage) isDeclared() []string {
	var all []string
	for _, m := range s.store.Snapshot().Tunnels() {
		all = append(all, m.GetTunnelName())
	}
	for _, m := range s.store.Snapshot().Sessions() {
		all = append(all, m.GetTunnelName()+"/"+m.GetSessionName())
	}
	slices.Sort(all)
	return all
}

// TestAnyConfigurationAfterAnother: whatever ran, afterwards there is what was declared, with
// what was said of it; to write it and load that again changes nothing, nor does anything end.
func TestAnyConfigurationAfterAnother(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newStageIn(t, drawConfiguration(rt), "")
		for range 3 {
			s.edit(drawConfiguration(rt))
			before := strings.Fields(s.live())
			res := s.load(&api.LoadConfigRequest{Source: fromFile()})
			if got, want := s.isThere(), s.isDeclared(); !slices.Equal(got, want) {
				rt.Fatalf("there is %v, want %v", got, want)
			}
			s.wantDropped(rt, before, res)
			s.wantSettings(rt)
		}
		s.command(rapid.SampledFrom([]string{"", "user create user_name=new user_password=x"}).Draw(rt, "command"))
		if err := s.write(); err != nil {
			rt.Fatal(err)
		}
		live := s.live()
		if res := s.load(&api.LoadConfigRequest{Source: fromFile()}); len(res.Changes) > 0 || s.live() != live {
			rt.Fatalf("what was written changes %s", describe(res.Changes))
		}
	})
}

// wantDropped checks that the sessions that are gone are as many as the answer says.
func (s *stage) wantDropped(t *rapid.T, before []string, res *api.LoadConfigResponse) {
	after := strings.Fields(s.live())
	gone, told := 0, 0
	for _, what := range before {
		if strings.Contains(what, "/") && !slices.Contains(after, what) {
			gone++
		}
	}
	for _, c := range res.Changes {
		told += int(c.SessionsDropped)
	}
	if gone != told {
		t.Fatalf("%d sessions are gone, the answer says %d:\n%s", gone, told, describe(res.Changes))
	}
}

// wantSettings checks what there is against what was said of it.
func (s *stage) wantSettings(t *rapid.T) {
	declared := make(map[string]int)
	for _, m := range s.store.Snapshot().Sessions() {
		declared[fmt.Sprint(m.GetTunnelName(), m.GetSessionName(), m.GetUserName(), m.GetUserPassword(), m.GetParameters().GetSequencingRequired())]++
	}
	sessions, _ := s.backend.ListSessions(s.t.Context(), nil, management.Page{Limit: 1000})
	for _, m := range sessions {
		declared[fmt.Sprint(m.GetTunnelName(), m.GetSessionName(), m.GetUserName(), m.GetUserPassword(), m.GetParameters().GetSequencingRequired())]--
	}
	for what, n := range declared {
		if n != 0 {
			t.Fatalf("of %s there are %d too few", what, n)
		}
	}
}
