package commit

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"culvert/api"
)

func withUser(n int) string {
	return fmt.Sprintf("%suser create user_name=u%d user_password=p\n", base, n)
}

// 25 configurations are loaded; the last 20 can be loaded again, after a restart too.
func TestHistoryKeepsTwenty(t *testing.T) {
	s := newStage(t, base)
	for i := range 25 {
		s.load(&api.LoadConfigRequest{Source: fromText(withUser(i)), Comment: fmt.Sprintf("the \"%d\"\n# th", i)})
	}
	for _, when := range []string{"before", "after"} {
		all := s.revisions()
		if len(all) != 20 {
			t.Fatalf("%s the restart there are %d revisions, want 20", when, len(all))
		}
		for i, r := range all {
			n := 25 - i // revision 1 is that of the start
			if int(r.Number) != n+1 || r.Author != "alice" || r.Comment != fmt.Sprintf("the \"%d\"\n# th", n-1) ||
				r.Running != (i == 0) || r.RevertsAt != nil || r.Time.AsTime().IsZero() {
				t.Errorf("%s the restart revision %d is %v", when, i, r)
			}
		}
		s.start()
	}
	files, err := filepath.Glob(s.options.State + "/[^.]*")
	if err != nil || len(files) != 20 {
		t.Errorf("%d files, want 20: %v", len(files), err)
	}
	for _, f := range files {
		if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f, info.Mode(), err)
		}
	}
	s.load(&api.LoadConfigRequest{Source: fromRevision(10)})
	if _, there := s.store.Snapshot().User("u8"); !there {
		t.Error("after loading revision 10 its user is not there")
	}
	if n := s.revisions()[0].Number; n != 27 {
		t.Errorf("going back makes revision %d, want 27", n)
	}
}

// What commands changed is a revision before something takes its place.
func TestHistoryKeepsWhatCommandsChanged(t *testing.T) {
	s := newStage(t, base)
	s.command("user create user_name=carol user_password=x")
	if s.revisions()[0].Running {
		t.Error("revision 1 is said to run though a command has changed something")
	}
	s.loadText(base)
	all := s.revisions()
	if len(all) != 3 || all[1].Author != "commands" || !all[0].Running {
		t.Fatalf("revisions: %v", all)
	}
	if res := s.load(&api.LoadConfigRequest{Source: fromRevision(2)}); describe(res.Changes) !=
		"create user carol user_name:>carol user_password:>********\n" {
		t.Errorf("loading what commands had made: %s", describe(res.Changes))
	}
}

// To load what runs makes it a revision, if commands have changed it.
func TestLoadWhatRuns(t *testing.T) {
	s := newStage(t, base)
	s.command("user create user_name=carol user_password=x")
	if s.revisions()[0].Running {
		t.Error("revision 1 is said to run")
	}
	s.load(&api.LoadConfigRequest{Source: fromRevision(0)})
	if r := s.revisions()[0]; r.Number != 2 || !r.Running {
		t.Errorf("newest revision: %v", r)
	}
}

func TestRevisionText(t *testing.T) {
	s := newStage(t, base)
	for _, number := range []uint32{0, 1} {
		for _, masked := range []bool{false, true} {
			r, err := s.Revision(t.Context(), &api.GetRevisionRequest{Number: number, MaskSecrets: masked})
			if err != nil {
				t.Fatal(err)
			}
			hidden := !strings.Contains(r.Text, "wonderland") && !strings.Contains(r.Text, "swordfish")
			if hidden != masked || !strings.Contains(r.Text, "user_name=alice") {
				t.Errorf("revision %d, masked %v:\n%s", number, masked, r.Text)
			}
		}
	}
}

// A folder that cannot be used is a warning, and the history is in memory.
func TestHistoryWithoutAFolder(t *testing.T) {
	s := newStage(t, base)
	s.options.State = filepath.Join(s.options.File, "state") // below a file
	s.start()
	for i := range 25 {
		res := s.loadText(withUser(i))
		if len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0], "in memory only") {
			t.Fatalf("warnings: %q", res.Warnings)
		}
	}
	if n := len(s.revisions()); n != 20 {
		t.Errorf("%d revisions, want 20", n)
	}
	s.load(&api.LoadConfigRequest{Source: fromRevision(10)})
}

// Two daemons do not write into one folder.
func TestHistoryIsOfOneDaemon(t *testing.T) {
	s := newStage(t, base)
	other := newStage(t, base)
	other.options.State = s.options.State
	other.start()
	other.loadText(withUser(1))
	if n := len(other.revisions()); n != 2 {
		t.Errorf("the other daemon has %d revisions, want 2", n)
	}
	if files, _ := filepath.Glob(s.options.State + "/[^.]*"); len(files) != 1 {
		t.Errorf("files: %v", files)
	}
}

// Files that a full disk or an editor has spoilt cost their own revision only.
func TestHistoryPassesOverWhatIsSpoilt(t *testing.T) {
	s := newStage(t, base)
	for i := range 3 {
		s.loadText(withUser(i))
	}
	for n, text := range map[int]string{1: "", 2: "# revision x\n\n", 3: "# revision 3\n# time noon\n\n"} {
		if err := os.WriteFile(s.history.path(uint32(n)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	half := filepath.Join(s.options.State, ".culvert-123")
	if err := os.WriteFile(half, []byte("# revi"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Close()
	h, warnings := openHistory(s.options.State)
	defer h.close()
	if _, err := os.Stat(half); err == nil {
		t.Error("half a file is left")
	}
	if len(h.list) != 1 || h.list[0].number != 4 || len(warnings) != 3 {
		t.Errorf("revisions %v, warnings %q", h.list, warnings)
	}
}

func FuzzReadRevision(f *testing.F) {
	r := revision{number: 7, time: time.Unix(1, 2), author: "a\nb", comment: `"`, text: []byte("\n\n#")}
	f.Add(r.file())
	f.Add([]byte("# revision 1\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "revision-000001.conf")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := readRevision(path)
		if err != nil {
			return
		}
		if err := os.WriteFile(path, r.file(), 0o600); err != nil {
			t.Fatal(err)
		}
		again, err := readRevision(path)
		if err != nil || again.number != r.number || again.author != r.author ||
			again.comment != r.comment || string(again.text) != string(r.text) {
			t.Fatalf("%+v became %+v, %v", r, again, err)
		}
	})
}
