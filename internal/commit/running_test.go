package commit

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"culvert/api"
	"culvert/internal/config"
	"culvert/internal/journal"
)

// newMortal begins with a configuration from its file, and keeps what runs.
func newMortal(t *testing.T, text string) (s *stage, dir *journal.Dir) {
	t.Helper()
	s = &stage{t: t, options: Options{
		Store: config.NewStore("machine"),
		File:  filepath.Join(t.TempDir(), "culvertd.conf"),
	}}
	s.edit(text)
	dir = s.rise(t.TempDir())
	return s, dir
}

// rise starts the daemon as cmd/culvertd does, on what a killed one has left.
func (s *stage) rise(path string) *journal.Dir {
	s.t.Helper()
	dir, records, err := journal.Open(path)
	if err != nil {
		s.t.Fatal(err)
	}
	text, err := os.ReadFile(s.options.File)
	if err != nil {
		s.t.Fatal(err)
	}
	s.options.Store = config.NewStore("machine")
	if err := s.options.Store.Load("start", text); err != nil {
		s.t.Fatal(err)
	}
	s.options.OnFile = nil
	onFile := s.options.Store.Snapshot()
	running, faults := Resume(s.options.Store, records, onFile)
	if len(faults) > 0 {
		s.t.Fatal(faults)
	}
	if running != nil && s.options.Store.Replace(onFile, running) {
		s.options.OnFile = onFile
	}
	if s.options.Journal, err = dir.Writer(); err != nil {
		s.t.Fatal(err)
	}
	if err := dir.Begin(); err != nil {
		s.t.Fatal(err)
	}
	s.start()
	return dir
}

// die ends the daemon as kill -9 does, and starts another one.
func (s *stage) die(dir *journal.Dir) *journal.Dir {
	s.t.Helper()
	dir.Close()
	return s.rise(dir.Path())
}

// What commands have changed runs on after a crash, and is still in no file.
func TestWhatRunsOutlivesTheDaemon(t *testing.T) {
	s, dir := newMortal(t, base)
	s.command("user create user_name=carol user_password=x\n")
	dir = s.die(dir)
	s.wantCarol(true)
	if strings.Contains(s.onDisk(), "carol") {
		t.Error("carol is in the file")
	}
	// It can be written: the file is as it was when it was read.
	if err := s.write(); err != nil {
		t.Fatal(err)
	}
	s.command("user delete user_name=carol\n")
	dir = s.die(dir)
	s.wantCarol(false)
	dir.Close()
}

// Who edits the file and starts the daemon wants what it says.
func TestAnEditedFileGoesBeforeWhatRan(t *testing.T) {
	s, dir := newMortal(t, base)
	s.command("user create user_name=carol user_password=x\n")
	s.edit(base + "user create user_name=dave user_password=x\n")
	dir = s.die(dir)
	s.wantCarol(false)
	if _, there := s.store.Snapshot().User("dave"); !there {
		t.Error("dave, who is in the file, is not there")
	}
	dir.Close()
}

// A daemon that dies while a revision waits goes back, as it would have itself.
func TestUnconfirmedDoesNotOutliveTheDaemon(t *testing.T) {
	s, dir := newMortal(t, base)
	s.load(&api.LoadConfigRequest{Source: fromText(confirmed), ConfirmWithin: 300})
	s.command("user create user_name=dave user_password=x\n")
	dir = s.die(dir)
	s.wantCarol(false)

	s.load(&api.LoadConfigRequest{Source: fromText(confirmed), ConfirmWithin: 300})
	if _, err := s.Confirm(t.Context(), "alice"); err != nil {
		t.Fatal(err)
	}
	dir = s.die(dir)
	s.wantCarol(true)
	dir.Close()
}
