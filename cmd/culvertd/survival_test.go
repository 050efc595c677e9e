package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"culvert/internal/dataplane"
	"culvert/internal/engine"
	"culvert/internal/event"
	"culvert/internal/journal"
	"culvert/internal/journal/journaltest"
	"culvert/internal/keeper"
	"culvert/kernel"
	"culvert/test/lab"
)

func TestMain(m *testing.M) {
	journaltest.Unlogged()
	m.Run()
}

// leave leaves the state of a process that was killed.
func leave(t *testing.T, path string) {
	t.Helper()
	dir, _, err := journal.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	w := dir.Writer("things", func() {})
	dir.Begin()
	w.Put(journal.Key{Kind: 'x'}, []byte("left"))
	if err := w.Flush(func() {}); err != nil {
		t.Fatal(err)
	}
	dir.Close()
}

// A daemon without a keeper leaves nothing to a later one, neither of its own nor what was
// there before it: by then that is not true.
func TestStateWithoutAKeeper(t *testing.T) {
	for name, f := range map[string]flags{
		"none wanted": {keeper: noKeeper},
		"none there":  {keeper: filepath.Join(t.TempDir(), "keeper.sock")},
		"killed":      {keeper: deadSocket(t)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // one waits for a keeper that was killed
			f.keep = filepath.Join(t.TempDir(), "state")
			leave(t, f.keep)
			s, err := f.openSurvival(slog.New(slog.DiscardHandler))
			if err != nil || s.cause() == "" || !strings.HasPrefix(s.text(), "no: ") {
				t.Fatalf("survival %q, %v", s.text(), err)
			}
			wantLeft(t, f.keep, 0)
		})
	}
}

// A keeper that is just being started anew is waited for: without it what the last process
// has left would be given up.
func TestKeeperThatIsComing(t *testing.T) {
	path, pauses := deadSocket(t), 0
	c, _, err := dialKeeper(path, func() {
		if pauses++; pauses == 3 {
			serveKeeper(t, path)
		}
	})
	if err != nil || pauses != 3 {
		t.Fatalf("after %d pauses: %v", pauses, err)
	}
	c.Close()
}

// One that does not come is not waited for without end.
func TestKeeperThatDoesNotCome(t *testing.T) {
	path, pauses := deadSocket(t), 0
	if _, _, err := dialKeeper(path, func() { pauses++ }); err == nil || pauses != keeperTries {
		t.Errorf("%d pauses, %v", pauses, err)
	}
}

// A keeper that is there and cannot be talked to may hold everything: the daemon does not
// start, and what the last process has left is there for the next attempt.
func TestKeeperThatDoesNotAnswer(t *testing.T) {
	for name, answer := range map[string]func(net.Conn){
		"says nothing": func(net.Conn) {},
		"hangs up":     func(c net.Conn) { c.Close() },
		"is newer":     func(c net.Conn) { c.Write([]byte{1, 99}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // one waits for as long as a client does
			f := flags{keep: filepath.Join(t.TempDir(), "state"), keeper: filepath.Join(t.TempDir(), "keeper.sock")}
			leave(t, f.keep)
			l, err := net.Listen("unixpacket", f.keeper)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				if c, err := l.Accept(); err == nil {
					defer c.Close()
					answer(c)
					io.Copy(io.Discard, c)
				}
			}()
			s, err := f.openSurvival(slog.New(slog.DiscardHandler))
			if err == nil || !strings.HasPrefix(err.Error(), "culvert-keeper: ") {
				t.Errorf("survival %v, error %v; want one about culvert-keeper", s, err)
			}
			wantLeft(t, f.keep, 1)
		})
	}
}

// One that this user may not talk to is somebody's keeper nevertheless.
func TestKeeperThatRefuses(t *testing.T) {
	err := &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EACCES)}
	if isNobody(fmt.Errorf("connecting to the keeper: %w", err)) {
		t.Errorf("%v is taken for nobody", err)
	}
}

// wantLeft wants records to be left for the next process.
func wantLeft(t *testing.T, path string, n int) {
	t.Helper()
	dir, records, err := journal.Open(path)
	if err != nil || len(records) != n {
		t.Fatalf("%d records are left, %v; want %d", len(records), err, n)
	}
	dir.Close()
}

// deadSocket is the path of a socket whose keeper was killed.
func deadSocket(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "keeper.sock")
	l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	return path
}

// serveKeeper has a keeper at a path until the test ends.
func serveKeeper(t *testing.T, path string) {
	t.Helper()
	k, err := keeper.Listen(path, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var serving sync.WaitGroup
	serving.Go(func() { k.Serve(ctx) })
	t.Cleanup(func() {
		cancel()
		serving.Wait()
	})
}

// A keeper that cannot hold all descriptors says so, and so does the daemon.
func TestKeeperWithoutRoom(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keeper.sock")
	l, err := net.Listen("unixpacket", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		b := make([]byte, 10)
		c.Read(b)
		c.Write([]byte{1, 1}) // hello
		c.Read(b)
		c.Write([]byte{6}) // the list is complete
		c.Write([]byte{8}) // full
		c.Read(b)
	}()
	f := flags{keep: filepath.Join(t.TempDir(), "state"), keeper: path}
	s, err := f.openSurvival(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	lab.Wait(t, patience, "the daemon to know", func() error {
		if why := s.cause(); !strings.Contains(why, "files open") {
			return fmt.Errorf("what it knows is %q", why)
		}
		return nil
	})
}

// What was kept for the kernel's data plane ends where there is another one now, and not before
// that is open.
func TestKeptForAnotherDataPlane(t *testing.T) {
	f := flags{keep: filepath.Join(t.TempDir(), "state"), keeper: filepath.Join(t.TempDir(), "keeper.sock")}
	serveKeeper(t, f.keeper)
	c, _, err := keeper.Dial(f.keeper)
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c.Keep("tunnel/1", int(w.Fd()))
	w.Close()
	c.Close()

	s, err := f.openSurvival(slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil || len(s.kept) != 1 {
		t.Fatalf("kept %v, %v", s.kept, err)
	}
	unable := func(dataplane.Handler) (dataplane.Dataplane, error) { return nil, errors.ErrUnsupported }
	if _, err := s.over("tun", unable)(nil); err == nil || len(s.kept) != 1 || s.cause() != "" {
		t.Errorf("without another data plane %v is kept, and sessions end: %q", s.kept, s.cause())
	}
	d, err := s.over("null", dataplane.NewNull)(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if s.cause() == "" {
		t.Error("sessions outlive the daemon, which carries their packets")
	}
	r.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := r.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("what was kept is still open: %v", err)
	}
	s.close()
}

// A kernel that lacks something is replaced, but not while it has sessions.
func TestFallBack(t *testing.T) {
	lacking := []kernel.Finding{{Name: "this", OK: true}, {Name: "that"}}
	for _, test := range []struct {
		findings []kernel.Finding
		kept     string
		want     string
	}{
		{lacking[:1], "session/1/2", "kernel"},
		{lacking, "listener/[::]:1701", "tun"},
		{lacking, "session/1/2", "the kernel lacks that, and has 1 sessions of the last process: " +
			"--dataplane tun would end them"},
	} {
		s := &survival{kept: map[string][]int{test.kept: nil}}
		p, err := chooseDataplane(test.findings, slog.New(slog.DiscardHandler), s)
		if got := p.kind; got != test.want && fmt.Sprint(err) != test.want {
			t.Errorf("with %s: %q, %v, want %s", test.kept, got, err, test.want)
		}
	}
}

// What cannot be written would not outlive the daemon, and it says so.
func TestSurvivalSaysWhatIsLost(t *testing.T) {
	dir, _, err := journal.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	var log strings.Builder
	s := &survival{log: slog.New(slog.NewTextHandler(&log, nil)), dir: dir, client: &keeper.Client{}}
	dir.Notify(s.notify)
	events, sessions := dir.Writer(event.JournalKind, func() {}), dir.Writer(engine.JournalKind, func() {})
	if s.text() != "yes" {
		t.Errorf("survival %q, want yes", s.text())
	}
	for _, test := range []struct {
		w     *journal.Writer
		want  string
		holds bool
	}{
		{events, "yes, but not events: ", true},
		{sessions, "no: ", false},
	} {
		makeRoom := journaltest.Fill(t)
		for range 2 {
			test.w.Put(journal.Key{}, nil)
			test.w.Flush(func() {})
		}
		makeRoom()
		if got := s.text(); !strings.HasPrefix(got, test.want) || (s.cause() == "") != test.holds {
			t.Errorf("survival %q, cause %q; want %q", got, s.cause(), test.want)
		}
	}
	if n := strings.Count(log.String(), "would not outlive"); n != 2 {
		t.Errorf("logged %d times, want once of each:\n%s", n, log.String())
	}
}
