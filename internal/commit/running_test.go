package commit

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"culvert/api"
	"culvert/internal/config"
	"culvert/internal/journal"
	"culvert/internal/journal/journaltest"
)

func TestMain(m *testing.M) {
	journaltest.Unlogged()
	m.Run()
}

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
	file := File{Text: text, Says: s.options.Store.Snapshot()}
	running, faults := Resume(s.options.Store, records, file)
	if len(faults) > 0 {
		s.t.Fatal(faults)
	}
	if running != nil {
		s.options.Store.Replace(file.Says, running)
	}
	s.options.Read, s.options.Keeping = file, Keep(dir, records)
	dir.Begin()
	s.start()
	return dir
}

// die ends the daemon as kill -9 does, and starts another one.
func (s *stage) die(dir *journal.Dir) *journal.Dir {
	s.t.Helper()
	time.Sleep(2 * longest) // what has changed is recorded soon
	synctest.Wait()
	dir.Close()
	return s.rise(dir.Path())
}

// What commands have changed runs on after a crash, and is still in no file.
func TestWhatRunsOutlivesTheDaemon(t *testing.T) { synctest.Test(t, testWhatRunsOutlivesTheDaemon) }

func testWhatRunsOutlivesTheDaemon(t *testing.T) {
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
	synctest.Test(t, testAnEditedFileGoesBeforeWhatRan)
}

func testAnEditedFileGoesBeforeWhatRan(t *testing.T) {
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
	synctest.Test(t, testUnconfirmedDoesNotOutliveTheDaemon)
}

func testUnconfirmedDoesNotOutliveTheDaemon(t *testing.T) {
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

// A version that writes a configuration otherwise than the one before knows the file again
// by its text, and who only changes a comment has edited nothing.
func TestAFileIsKnownAgain(t *testing.T) { synctest.Test(t, testAFileIsKnownAgain) }

func testAFileIsKnownAgain(t *testing.T) {
	s, dir := newMortal(t, base)
	s.command("user create user_name=carol user_password=x\n")
	time.Sleep(2 * longest)
	synctest.Wait()
	dir.Close()
	path := dir.Path()
	dir, records, err := journal.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	dir.Close()
	value := records[runningKey]
	for name, test := range map[string]struct {
		change int // which byte of the record another version has otherwise
		text   string
		want   bool
	}{
		"as it was":          {0, base, true},
		"other formatting":   {sha256.Size, base, true},
		"a comment":          {0, base + "# I was here\n", true},
		"edited":             {0, base + "pool create pool_name=p addresses=10.8.0.0/24\n", false},
		"edited, formatting": {sha256.Size, base + "# I was here\n", false},
	} {
		changed := slices.Clone(value)
		if test.change > 0 {
			changed[test.change] ^= 1
		}
		store := config.NewStore("machine")
		if err := store.Load("start", []byte(test.text)); err != nil {
			t.Fatal(err)
		}
		running, faults := Resume(store, journal.Records{runningKey: changed},
			File{[]byte(test.text), store.Snapshot()})
		if (running != nil) != test.want || len(faults) > 0 {
			t.Errorf("%s: resumes %v, %v; want %v", name, running != nil, faults, test.want)
		}
	}
}

// While one record is being written, however long that takes, commands go on, and many of
// them make one more record.
func TestCommandsDoNotWaitForTheirRecord(t *testing.T) {
	synctest.Test(t, testCommandsDoNotWaitForTheirRecord)
}

func testCommandsDoNotWaitForTheirRecord(t *testing.T) {
	s, dir := newMortal(t, base)
	k := s.keeping
	k.writing.Lock()
	for i := range 100 {
		s.command(fmt.Sprintf("user create user_name=user%d user_password=x\n", i))
	}
	k.writing.Unlock()
	k.flush()
	k.writing.Lock()
	if k.last.running != s.store.Snapshot() {
		t.Error("the last command is not recorded")
	}
	one := int64(len(k.value))
	k.writing.Unlock()
	size := func() int64 {
		info, err := os.Stat(filepath.Join(dir.Path(), "1-0"))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	before := size()
	for i := range 100 {
		s.command(fmt.Sprintf("user delete user_name=user%d\n", i))
	}
	synctest.Wait()
	if grown := size() - before; grown > 10*one {
		t.Errorf("100 commands wrote %d bytes, with %d for a record", grown, one)
	}
	dir = s.die(dir)
	dir.Close()
	if _, there := s.store.Snapshot().User("user5"); there {
		t.Error("a user that was deleted is there again")
	}
}

// What runs is recorded once there is room again.
func TestNoRoomForWhatRuns(t *testing.T) { synctest.Test(t, testNoRoomForWhatRuns) }

func testNoRoomForWhatRuns(t *testing.T) {
	s, dir := newMortal(t, base)
	makeRoom := journaltest.Fill(t)
	s.command("user create user_name=carol user_password=x\n")
	time.Sleep(2 * longest)
	synctest.Wait()
	if dir.Fault(JournalKind) == nil {
		t.Error("nothing is wrong")
	}
	makeRoom()
	time.Sleep(journal.Retry)
	dir = s.die(dir)
	s.wantCarol(true)
	dir.Close()
}
