package commit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"culvert/api"
	"culvert/internal/config"
	"culvert/internal/management"
	"culvert/internal/management/managementtest"
)

// A stage is a Configurator over a backend in memory, with a file and a folder.
type stage struct {
	*Configurator
	t       *testing.T
	backend *managementtest.Fake
	options Options
}

const base = `
system modify host_name=here
pool create pool_name=home addresses=10.9.0.0/24
user create user_name=alice user_password=wonderland
user create user_name=bob user_password=builder
tunnel profile create profile_name=far hello_timeout=30
tunnel create tunnel_name=one dest_ipaddr=192.0.2.1 persist=yes
tunnel create tunnel_name=two dest_ipaddr=192.0.2.2 profile_name=far secret=swordfish
session create tunnel_name=one session_name=a user_name=alice user_password=wonderland
session create tunnel_name=one session_name=b
session create tunnel_name=two session_name=a
`

// newStage begins with a configuration as a daemon does: from its file.
func newStage(t *testing.T, text string) *stage {
	t.Helper()
	return newStageIn(t, text, filepath.Join(t.TempDir(), "state"))
}

// newStageIn keeps its history in a folder of its own, or, without one, in memory: a
// thousand files that are made safe against a crash take their time.
func newStageIn(t *testing.T, text, state string) *stage {
	t.Helper()
	s := &stage{t: t, options: Options{
		Store: config.NewStore("machine"),
		File:  filepath.Join(t.TempDir(), "culvertd.conf"),
		State: state,
	}}
	s.edit(text)
	if err := s.options.Store.Load("start", []byte(text)); err != nil {
		t.Fatal(err)
	}
	s.start()
	return s
}

// start starts the daemon, perhaps again: what the store declares is made.
func (s *stage) start() {
	s.t.Helper()
	s.backend = &managementtest.Fake{}
	s.options.Backend = s.backend
	for _, tunnel := range s.options.Store.Snapshot().Tunnels() {
		if _, err := s.backend.CreateTunnel(s.t.Context(), tunnel); err != nil {
			s.t.Fatal(err)
		}
	}
	for _, m := range s.options.Store.Snapshot().Sessions() {
		if _, err := s.backend.CreateSession(s.t.Context(), m); err != nil {
			s.t.Fatal(err)
		}
	}
	if s.Configurator != nil {
		s.Close()
	}
	s.Configurator = New(s.options)
	s.t.Cleanup(s.Close)
}

// edit writes the daemon's file by hand.
func (s *stage) edit(text string) {
	s.t.Helper()
	if err := os.WriteFile(s.options.File, []byte(text), 0o640); err != nil {
		s.t.Fatal(err)
	}
}

// command changes something as a command does.
func (s *stage) command(text string) {
	s.t.Helper()
	if err := s.options.Store.Load("command", []byte(text)); err != nil {
		s.t.Fatal(err)
	}
}

func fromText(text string) *api.Source {
	return &api.Source{From: &api.Source_Text{Text: text}, Name: "new.conf"}
}

func fromRevision(n uint32) *api.Source {
	return &api.Source{From: &api.Source_Revision{Revision: n}}
}

func fromFile() *api.Source { return &api.Source{From: &api.Source_File{File: true}} }

// load loads a configuration that is right.
func (s *stage) load(r *api.LoadConfigRequest) *api.LoadConfigResponse {
	s.t.Helper()
	res, err := s.Load(s.t.Context(), "alice", r)
	if err != nil {
		s.t.Fatal(err)
	}
	if len(res.Faults)+len(res.Failures) > 0 {
		s.t.Fatalf("faults %v, failures %v", res.Faults, res.Failures)
	}
	return res
}

func (s *stage) loadText(text string) *api.LoadConfigResponse {
	s.t.Helper()
	return s.load(&api.LoadConfigRequest{Source: fromText(text)})
}

// wantLive checks which tunnels and sessions there are, with their identifiers.
func (s *stage) live() string {
	s.t.Helper()
	var b strings.Builder
	tunnels, _ := s.backend.ListTunnels(s.t.Context(), management.Page{Limit: 1000})
	for _, m := range tunnels {
		fmt.Fprintf(&b, "%s=%d ", m.GetTunnelName(), m.GetTunnelId())
	}
	sessions, _ := s.backend.ListSessions(s.t.Context(), nil, management.Page{Limit: 1000})
	for _, m := range sessions {
		fmt.Fprintf(&b, "%s/%s=%d ", m.GetTunnelName(), m.GetSessionName(), m.GetSessionId())
	}
	return strings.TrimSpace(b.String())
}

// describe is what changes do, one line each.
func describe(changes []*api.Change) string {
	var b strings.Builder
	for _, c := range changes {
		fmt.Fprintf(&b, "%s %s %s", actions[c.Action], c.Kind, c.Name)
		for _, p := range c.Params {
			fmt.Fprintf(&b, " %s:%s>%s", p.Name, p.Old, p.New)
		}
		if c.SessionsDropped > 0 {
			fmt.Fprintf(&b, " drops %d", c.SessionsDropped)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestLoadAppliesTheDifference(t *testing.T) {
	const live = "one=1 two=2 one/a=3 one/b=4 two/a=5"
	tests := map[string]struct{ old, new, want, live string }{
		"nothing": {"here", "here", "", live},
		"a user and a pool": {
			"user create user_name=bob user_password=builder\n", "pool create pool_name=p addresses=10.8.0.0/24\n",
			"create pool p pool_name:>p addresses:>10.8.0.0/24\n" +
				"delete user bob user_name:bob> user_password:********>\n", live},
		"a secret of a profile": {
			"hello_timeout=30", "secret=tea",
			"modify tunnel profile far secret:>******** hello_timeout:30>\n", live},
		"a tunnel's timer": {
			"persist=yes", "persist=yes hello_timeout=10",
			"modify tunnel one hello_timeout:>10\n", live},
		"a tunnel's destination": {
			"dest_ipaddr=192.0.2.1", "dest_ipaddr=192.0.2.9",
			"recreate tunnel one dest_ipaddr:192.0.2.1>192.0.2.9 drops 2\n",
			"two=2 one=6 two/a=5 one/a=7 one/b=8"},
		"a session's user": {
			"session_name=b\n", "session_name=b user_name=bob\n",
			"recreate session one/b user_name:>bob drops 1\n",
			"one=1 two=2 one/a=3 one/b=6 two/a=5"},
		"a session's sequencing": {
			"session_name=b\n", "session_name=b sequencing_required=yes\n",
			"modify session one/b sequencing_required:>yes\n", live},
		"a session less": {
			"session create tunnel_name=one session_name=b\n", "",
			"delete session one/b tunnel_name:one> session_name:b> drops 1\n",
			"one=1 two=2 one/a=3 two/a=5"},
		"a tunnel of another name": {
			"two", "due",
			"delete tunnel two tunnel_name:two> dest_ipaddr:192.0.2.2> profile_name:far> secret:********> drops 1\n" +
				"create tunnel due tunnel_name:>due dest_ipaddr:>192.0.2.2 profile_name:>far secret:>********\n" +
				"delete session two/a tunnel_name:two> session_name:a>\n" +
				"create session due/a tunnel_name:>due session_name:>a\n",
			"one=1 due=6 one/a=3 one/b=4 due/a=7"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, base)
			next := strings.ReplaceAll(base, tt.old, tt.new)
			checked, err := s.Check(t.Context(), &api.CheckConfigRequest{Source: fromText(next)})
			if err != nil {
				t.Fatal(err)
			}
			if got := s.live(); got != live {
				t.Fatalf("after the check there is %s, want %s", got, live)
			}
			res := s.loadText(next)
			for what, got := range map[string]string{
				"Check": describe(checked.Changes), "Load": describe(res.Changes)} {
				if got != tt.want {
					t.Errorf("%s says\n%swant\n%s", what, got, tt.want)
				}
			}
			if got := s.live(); got != tt.live {
				t.Errorf("there is %s, want %s", got, tt.live)
			}
			if again := s.loadText(next); len(again.Changes) > 0 || again.Revision != res.Revision {
				t.Errorf("loaded again: %s, revision %d after %d", describe(again.Changes),
					again.Revision, res.Revision)
			}
		})
	}
}

// What others have made is not touched, and what has no name is found by what it is.
func TestLoadLeavesOthersAlone(t *testing.T) {
	nameless := "tunnel create dest_ipaddr=192.0.2.3\nsession create tunnel_name=two user_name=x\n"
	s := newStage(t, base+nameless)
	peers, err := s.backend.CreateTunnel(t.Context(), &api.Tunnel{})
	if err != nil {
		t.Fatal(err)
	}
	peers.Status.CreatedByPeer = true
	before := s.live()
	if res := s.loadText("user create user_name=new user_password=x\n" + base + nameless); len(res.Changes) != 1 {
		t.Errorf("changes: %s", describe(res.Changes))
	}
	if got := s.live(); got != before {
		t.Errorf("there is %s, want %s", got, before)
	}
	res := s.loadText(base)
	if got, want := s.live(), "one=1 two=2 =8 one/a=4 one/b=5 two/a=6"; got != want {
		t.Errorf("there is %s, want %s", got, want)
	}
	if n := res.Changes[len(res.Changes)-1].SessionsDropped; n != 1 {
		t.Errorf("the session without a name: %d sessions dropped, want 1", n)
	}
}

func TestMerge(t *testing.T) {
	s := newStage(t, base)
	res := s.load(&api.LoadConfigRequest{Merge: true, Source: fromText(
		"user delete user_name=bob\ntunnel modify tunnel_name=one persist=no")})
	want := "delete user bob user_name:bob> user_password:********>\nmodify tunnel one persist:yes>no\n"
	if got := describe(res.Changes); got != want {
		t.Errorf("changes\n%swant\n%s", got, want)
	}
}

func TestOneFaultChangesNothing(t *testing.T) {
	s := newStage(t, base)
	before, live := s.store.Snapshot(), s.live()
	for _, merge := range []bool{false, true} {
		res, err := s.Load(t.Context(), "alice", &api.LoadConfigRequest{Merge: merge,
			Source: fromText("user delete user_name=bob\nuser create user_name=carol\n")})
		if err != nil {
			t.Fatal(err)
		}
		if len(res.Faults) == 0 || res.Faults[0].File != "new.conf" || res.Faults[0].Line == 0 {
			t.Errorf("faults: %v", res.Faults)
		}
		if s.store.Snapshot() != before || s.live() != live || len(res.Changes) > 0 {
			t.Error("something has changed")
		}
	}
	if n := len(s.revisions()); n != 1 {
		t.Errorf("%d revisions, want 1", n)
	}
}

func TestFailuresAreTold(t *testing.T) {
	s := newStage(t, base)
	s.backend.Err = management.Errorf(management.ErrUnavailable, "no data plane")
	res, err := s.Load(t.Context(), "alice", &api.LoadConfigRequest{Source: fromText(base +
		"tunnel create tunnel_name=three dest_ipaddr=192.0.2.3\n" +
		"session create tunnel_name=three session_name=a\n")})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{`making tunnel "three": no data plane`}; fmt.Sprint(res.Failures) != fmt.Sprint(want) {
		t.Errorf("failures %q, want %q", res.Failures, want)
	}
}

func TestWarnsOfWhatProfilesDoNotReach(t *testing.T) {
	s := newStage(t, base)
	res := s.loadText(strings.Replace(base, "hello_timeout=30", "hello_timeout=40", 1))
	if len(res.Warnings) != 1 || !strings.HasSuffix(res.Warnings[0],
		"tunnels: 1 (two), sessions: 0") {
		t.Errorf("warnings: %q", res.Warnings)
	}
}

// A meddler is a backend during whose first listing a command changes something.
type meddler struct {
	management.Backend
	meddle func()
}

func (m *meddler) ListSessions(ctx context.Context, t *api.Tunnel, p management.Page) (
	[]*api.Session, error) {
	if m.meddle != nil {
		m.meddle()
		m.meddle = nil
	}
	return m.Backend.ListSessions(ctx, t, p)
}

// What a command changes while a configuration is loaded is not lost.
func TestCommandWhileLoading(t *testing.T) {
	for _, merge := range []bool{true, false} {
		s := newStage(t, base)
		s.Configurator.backend = &meddler{s.backend, func() {
			s.command("user create user_name=carol user_password=x")
		}}
		text := "tunnel delete tunnel_name=two"
		if !merge {
			text = "user create user_name=only user_password=x"
		}
		s.load(&api.LoadConfigRequest{Source: fromText(text), Merge: merge})
		if _, there := s.store.Snapshot().User("carol"); there != merge {
			t.Errorf("merge %v: carol is there: %v", merge, there)
		}
		r, err := s.Revision(t.Context(), &api.GetRevisionRequest{Number: 2})
		if err != nil || r.Revision.Author != "commands" || !strings.Contains(r.Text, "carol") {
			t.Errorf("merge %v: revision 2: %v, %v", merge, r, err)
		}
	}
}

// Who may only look cannot find out a secret by asking whether it would change.
func TestCheckIsNoOracle(t *testing.T) {
	s := newStage(t, base)
	reader := management.WithIdentity(t.Context(), management.Identity{Role: management.Reader})
	for _, guess := range []string{"swordfish", "other"} {
		next := strings.NewReplacer("swordfish", guess, "192.0.2.2", "192.0.2.9").Replace(base)
		res, err := s.Check(reader, &api.CheckConfigRequest{Source: fromText(next)})
		if err != nil {
			t.Fatal(err)
		}
		want := "recreate tunnel two dest_ipaddr:192.0.2.2>192.0.2.9 drops 1\n"
		if got := describe(res.Changes); got != want {
			t.Errorf("secret=%s: %swant %s", guess, got, want)
		}
	}
	wrong := strings.Replace(base, "wonderland", "x", 2)
	if res, err := s.Check(reader, &api.CheckConfigRequest{Source: fromText(wrong)}); err != nil ||
		len(res.Changes)+len(res.Warnings) > 0 {
		t.Errorf("a wrong password: %v, %v", res, err)
	}
}

func TestSources(t *testing.T) {
	s := newStage(t, base)
	for want, src := range map[error]*api.Source{
		management.ErrInvalid:  {},
		management.ErrNotFound: fromRevision(7),
	} {
		if _, err := s.Load(t.Context(), "x", &api.LoadConfigRequest{Source: src}); !errors.Is(err, want) {
			t.Errorf("%v: %v, want %v", src, err, want)
		}
	}
	if res := s.load(&api.LoadConfigRequest{Source: fromRevision(0)}); len(res.Changes) > 0 {
		t.Errorf("loading what runs changes %s", describe(res.Changes))
	}
	s.edit("user create user_name=x user_password=y\n")
	if res := s.load(&api.LoadConfigRequest{Source: fromFile()}); len(res.Changes) == 0 {
		t.Error("loading the file changes nothing")
	}
}

func (s *stage) revisions() []*api.Revision {
	s.t.Helper()
	res, err := s.Revisions(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return res.Revisions
}

// A paged backend is never asked for more than a page.
type paged struct {
	*managementtest.Fake
	t *testing.T
}

func (p paged) ListSessions(ctx context.Context, tunnel *api.Tunnel, page management.Page) (
	[]*api.Session, error) {
	if page.Limit > pageSize {
		p.t.Errorf("%d sessions are asked for at once", page.Limit)
	}
	return p.Fake.ListSessions(ctx, tunnel, page)
}

func (p paged) ListTunnels(ctx context.Context, page management.Page) ([]*api.Tunnel, error) {
	if page.Limit > pageSize {
		p.t.Errorf("%d tunnels are asked for at once", page.Limit)
	}
	return p.Fake.ListTunnels(ctx, page)
}

// All sessions of a tunnel are counted, and a tunnel without a name is found behind
// many others, page by page: the loop that has them is not held up.
func TestManyArePaged(t *testing.T) {
	var text strings.Builder
	for i := range pageSize + 10 {
		fmt.Fprintf(&text, "tunnel create tunnel_name=t%d dest_ipaddr=192.0.2.1\n", i)
	}
	text.WriteString("tunnel create dest_ipaddr=192.0.2.99\n")
	for i := range 2*pageSize + 10 {
		fmt.Fprintf(&text, "session create tunnel_name=t0 session_name=s%d\n", i)
	}
	s := newStageIn(t, text.String(), "")
	s.Configurator.backend = paged{s.backend, t}
	res := s.loadText("")
	dropped := uint32(0)
	for _, c := range res.Changes {
		dropped += c.SessionsDropped
	}
	if want := uint32(2*pageSize + 10); dropped != want {
		t.Errorf("%d sessions are dropped, want %d", dropped, want)
	}
	if left := s.live(); left != "" {
		t.Errorf("left is %s", left)
	}
}
