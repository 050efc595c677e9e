package keeper

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patient is how long a test waits for what must come.
const patient = 20 * time.Second

// A process is a keeper that a test can end.
type process struct {
	*testing.T
	path string
	end  func()
	*Keeper
}

func start(t *testing.T, path string) *process {
	t.Helper()
	k, err := Listen(path, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- k.Serve(ctx) }()
	p := &process{T: t, path: path, Keeper: k}
	p.end = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serving: %v", err)
		}
	})
	t.Cleanup(p.end)
	return p
}

func started(t *testing.T) *process { return start(t, filepath.Join(t.TempDir(), "keeper.sock")) }

// dial connects, and returns which keys the keeper has with how many descriptors. It closes those.
func (p *process) dial() (*Client, map[string]int) {
	p.Helper()
	c, kept, err := Dial(p.path)
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { c.Close() })
	counts := make(map[string]int)
	for key, fds := range kept {
		counts[key] = len(fds)
		CloseAll(fds)
	}
	return c, counts
}

// A pipe tells whether somebody still holds its end for writing.
type pipe struct{ r, w int }

func newPipe(t *testing.T) pipe {
	t.Helper()
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC|syscall.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	return pipe{fds[0], fds[1]}
}

// held tells whether the end for writing is open.
func (p pipe) held() bool {
	_, err := syscall.Read(p.r, make([]byte, 1))
	return errors.Is(err, syscall.EAGAIN)
}

func (p *process) want(kept map[string]int) {
	p.Helper()
	_, got := p.dial()
	if !maps.Equal(got, kept) {
		p.Errorf("the keeper has %v, want %v", got, kept)
	}
}

func waitFor(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patient); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// TestKeep gives descriptors, and closes its own: they live on until they are dropped.
func TestKeep(t *testing.T) {
	p := started(t)
	c, kept := p.dial()
	if len(kept) != 0 {
		t.Errorf("a new keeper has %v", kept)
	}
	one, two, three := newPipe(t), newPipe(t), newPipe(t)
	defer CloseAll([]int{one.r, two.r, three.r})
	c.Keep("both", one.w, two.w)
	c.Keep("third", three.w)
	CloseAll([]int{one.w, two.w, three.w})
	p.want(map[string]int{"both": 2, "third": 1})
	c, _ = p.dial()
	c.Drop(t.Context(), "third", "nothing")
	if three.held() {
		t.Error("a dropped descriptor is held after Drop")
	}
	c.Drop(t.Context())
	if !one.held() || !two.held() {
		t.Error("descriptors are gone that nobody dropped")
	}
	other := newPipe(t)
	defer syscall.Close(other.r)
	c.Keep("both", other.w)
	syscall.Close(other.w)
	waitFor(t, "what was replaced to be closed", func() bool { return !one.held() && !two.held() })
	p.want(map[string]int{"both": 1})
	p.end()
	if other.held() {
		t.Error("a keeper that has ended holds a descriptor")
	}
}

// TestKeptDescriptor: what the successor gets is the same file, at its place.
func TestKeptDescriptor(t *testing.T) {
	p := started(t)
	c, _ := p.dial()
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString("something")
	f.Seek(4, io.SeekStart)
	c.Keep("file", int(f.Fd()))
	f.Close()
	c.Close()
	c, kept, err := Dial(p.path)
	if err != nil || len(kept["file"]) != 1 {
		t.Fatalf("kept %v, %v", kept, err)
	}
	defer c.Close()
	f = os.NewFile(uintptr(kept["file"][0]), "kept")
	defer f.Close()
	if b, err := io.ReadAll(f); err != nil || string(b) != "thing" {
		t.Errorf("read %q, %v, want %q", b, err, "thing")
	}
	flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), syscall.F_GETFD, 0)
	if errno != 0 || flags&syscall.FD_CLOEXEC == 0 {
		t.Error("programs that this one starts get the descriptor")
	}
}

// TestManyKeys: a list needs many messages, by the number of descriptors and by length.
func TestManyKeys(t *testing.T) {
	p := started(t)
	c, _ := p.dial()
	pipe := newPipe(t)
	defer CloseAll([]int{pipe.r, pipe.w})
	want := make(map[string]int)
	var all []int
	for range maxFDs {
		all = append(all, pipe.w)
	}
	for i := range 300 {
		n := 1 + i%3
		if i == 100 {
			n = maxFDs
		}
		key := fmt.Sprint(i, strings.Repeat("x", 200))
		c.Keep(key, all[:n]...)
		want[key] = n
	}
	p.want(want)
}

// TestConcurrentDrop: those who drop while something is sent share a message, and each finds
// its own closed.
func TestConcurrentDrop(t *testing.T) {
	const n = 500
	p := started(t)
	c, _ := p.dial()
	var pipes [n]pipe
	for i := range pipes {
		pipes[i] = newPipe(t)
		c.Keep(fmt.Sprint("key/", i), pipes[i].w)
		syscall.Close(pipes[i].w)
	}
	c.sending.Lock()
	var wg sync.WaitGroup
	for i, pipe := range pipes {
		wg.Go(func() {
			defer syscall.Close(pipe.r)
			if !pipe.held() {
				t.Error("what was kept is not held")
			}
			c.Drop(t.Context(), fmt.Sprint("key/", i))
			if pipe.held() {
				t.Error("what was dropped is held")
			}
		})
	}
	waitFor(t, "all to join", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.next != nil && len(c.next.keys) == n
	})
	c.sending.Unlock()
	wg.Wait()
	if c.sequence != 1 {
		t.Errorf("%d messages, want 1", c.sequence)
	}
	p.want(map[string]int{})
}

// TestKilledClient: what a client had sent before it died is kept, though nobody has read
// it yet when the successor comes.
func TestKilledClient(t *testing.T) {
	p := started(t)
	c, _ := p.dial()
	pipe := newPipe(t)
	defer CloseAll([]int{pipe.r, pipe.w})
	p.kept.mu.Lock() // a keeper that is busy
	want := make(map[string]int)
	for i := range 100 {
		c.Keep(fmt.Sprint("key/", i), pipe.w)
		want[fmt.Sprint("key/", i)] = 1
	}
	c.Close()
	dialled := make(chan map[string][]int, 1)
	go func() {
		next, kept, err := Dial(p.path)
		if err != nil {
			t.Error(err)
			dialled <- nil
			return
		}
		dialled <- kept
		next.Close()
	}()
	p.kept.mu.Unlock()
	kept := <-dialled
	for key, fds := range kept {
		CloseAll(fds)
		delete(want, key)
	}
	if len(want) > 0 {
		t.Errorf("not kept: %v", slices.Sorted(maps.Keys(want)))
	}
}

// TestKilledWithUnreadAnswers: a client that died before it had read every answer has still
// said what it said.
func TestKilledWithUnreadAnswers(t *testing.T) {
	p := started(t)
	pipe := newPipe(t)
	defer CloseAll([]int{pipe.r, pipe.w})
	s, err := connect(p.path)
	if err != nil {
		t.Fatal(err)
	}
	sends := func(m message, fds ...int) {
		if err := s.send(m, fds...); err != nil {
			t.Error(err)
		}
	}
	sends(message{op: opKeep, keys: []string{"first"}}, pipe.w)
	sends(message{op: opDrop, keys: []string{"first"}})
	waitFor(t, "the keeper to have answered", func() bool {
		p.kept.mu.Lock() // and then one that is busy
		keys := len(p.kept.byKey)
		if keys == 0 && hasUnread(s) {
			return true
		}
		p.kept.mu.Unlock()
		return false
	})
	sends(message{op: opKeep, keys: []string{"second"}}, pipe.w)
	sends(message{op: opKeep, keys: []string{"third"}}, pipe.w)
	s.Close()
	p.kept.mu.Unlock()
	p.want(map[string]int{"second": 1, "third": 1})
}

// hasUnread tells whether something can be read.
func hasUnread(s *socket) (has bool) {
	raw, err := s.SyscallConn()
	if err != nil {
		return false
	}
	raw.Control(func(fd uintptr) {
		_, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		has = err == nil
	})
	return has
}

// TestNewest: a client that comes takes the place of one that is still there.
func TestNewest(t *testing.T) {
	p := started(t)
	old, _ := p.dial()
	pipe := newPipe(t)
	defer CloseAll([]int{pipe.r, pipe.w})
	old.Keep("one", pipe.w)
	young, kept := p.dial()
	if kept["one"] != 1 {
		t.Errorf("the newer client finds %v", kept)
	}
	waitFor(t, "the older one to notice", func() bool { return old.current() == nil })
	old.Keep("two", pipe.w)
	old.Drop(t.Context(), "one")
	young.Keep("three", pipe.w)
	p.want(map[string]int{"one": 1, "three": 1})
}

// TestKeeperDies: the client notices, finds the next keeper by itself, and its owner
// gives that everything.
func TestKeeperDies(t *testing.T) {
	p := started(t)
	c, _ := p.dial()
	pipe := newPipe(t)
	defer CloseAll([]int{pipe.r, pipe.w})
	ctx, cancel := context.WithCancel(t.Context())
	changes := make(chan error, 10)
	ran := make(chan error, 1)
	go func() {
		ran <- c.Run(ctx, func(lost error) {
			if lost == nil {
				c.Keep("again", pipe.w)
			}
			changes <- lost
		})
	}()
	c.Keep("first", pipe.w)
	for range 3 {
		p.end()
		if lost := <-changes; lost == nil {
			t.Fatal("the keeper is there, but it has ended")
		}
		c.Keep("in vain", pipe.w)
		c.Drop(t.Context(), "in vain")
		p = start(t, p.path)
		if lost := <-changes; lost != nil {
			t.Fatalf("the keeper is gone, but it has begun again: %v", lost)
		}
		c.Keep("direct", pipe.w)
		c.Drop(t.Context(), "direct")
	}
	cancel()
	if err := <-ran; err != nil {
		t.Error(err)
	}
	c.Close()
	p.want(map[string]int{"again": 1})
}

// TestConnectionBreaks: the same keeper holds nothing from before then, since it may be
// what was dropped meanwhile.
func TestConnectionBreaks(t *testing.T) {
	p := started(t)
	c, _ := p.dial()
	pipe := newPipe(t)
	defer CloseAll([]int{pipe.r, pipe.w})
	c.Keep("closed meanwhile", pipe.w)
	changes := make(chan error, 10)
	ctx, cancel := context.WithCancel(t.Context())
	var ran sync.WaitGroup
	c.current().Close()
	waitFor(t, "the client to notice", func() bool { return c.current() == nil })
	c.Drop(t.Context(), "closed meanwhile")
	ran.Go(func() { c.Run(ctx, func(lost error) { changes <- lost }) })
	if lost := <-changes; lost == nil { // before Run, but that tells of it
		t.Fatal("Run does not tell that the connection was lost")
	}
	if lost := <-changes; lost != nil {
		t.Fatalf("the keeper is gone: %v", lost)
	}
	cancel()
	ran.Wait()
	c.Close()
	p.want(map[string]int{})
}

// TestDropWaitsForNobody: neither for a keeper that dies, nor for one that hangs when
// the context is done.
func TestDropWaitsForNobody(t *testing.T) {
	p := started(t)
	c, _ := p.dial()
	p.kept.mu.Lock()
	ctx, cancel := context.WithCancel(t.Context())
	returned := make(chan bool)
	go func() {
		c.Drop(ctx, "x")
		returned <- true
		c.Drop(t.Context(), "y")
		returned <- true
	}()
	cancel()
	<-returned
	go p.end()
	p.kept.mu.Unlock()
	<-returned
}

// TestGarbage: nonsense ends the connection that it comes on, and nothing else. Its
// descriptors are not held.
func TestGarbage(t *testing.T) {
	p := started(t)
	c, _ := p.dial()
	kept := newPipe(t)
	defer CloseAll([]int{kept.r, kept.w})
	c.Keep("one", kept.w)
	pipe := newPipe(t)
	defer syscall.Close(pipe.r)
	hello := string(message{op: opHello, version: version}.append(nil))
	for _, packets := range [][]string{
		{"GET / HTTP/1.1\r\n\r\n"},
		{"\x01\x09"},
		{"\x04"},
		{hello, "\x02"},
		{hello, "\x07\x00\x00\x00\x00"},
		{hello, "\x03\x00\x00\x00\x00"},
		{hello, strings.Repeat("\x02", maxMessage+100)},
		{hello, hello},
	} {
		raw, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: p.path, Net: "unixpacket"})
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range packets {
			raw.WriteMsgUnix([]byte(b), syscall.UnixRights(pipe.w, pipe.w), nil)
		}
		raw.SetReadDeadline(time.Now().Add(patient))
		for err == nil {
			_, err = raw.Read(make([]byte, 100))
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%q: the connection lives on", packets)
		}
		raw.Close()
	}
	syscall.Close(pipe.w)
	waitFor(t, "descriptors that came with nonsense to be closed", func() bool { return !pipe.held() })
	p.want(map[string]int{"one": 1})
}

// TestSecondKeeper: two do not serve at one place, and a dead one's socket is no obstacle.
func TestSecondKeeper(t *testing.T) {
	p := started(t)
	if k, err := Listen(p.path, slog.New(slog.DiscardHandler)); err == nil {
		k.listener.Close()
		t.Error("a second keeper listens beside the first")
	}
	if info, err := os.Stat(p.path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket's mode is %v, %v, want 0600", info.Mode(), err)
	}
	p.listener.SetUnlinkOnClose(false) // as if it were killed
	p.end()
	start(t, p.path).want(map[string]int{})
}

// TestLimit: descriptors that the keeper has no room for are lost, but not the
// keeper, nor what it has.
func TestLimit(t *testing.T) {
	p := started(t)
	c, _ := p.dial()
	pipe := newPipe(t)
	defer CloseAll([]int{pipe.r, pipe.w})
	c.Keep("one", pipe.w)
	p.want(map[string]int{"one": 1})
	c, _ = p.dial()
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	now := before
	now.Cur = uint64(pipe.w + 20)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &now); err != nil {
		t.Fatal(err)
	}
	if err := c.Fault(); err != nil {
		t.Errorf("before it is full: %v", err)
	}
	many := slices.Repeat([]int{pipe.w}, maxFDs)
	c.Keep("too many", many...)
	c.Drop(t.Context())
	c.Drop(t.Context(), "nothing") // the keeper has read what was sent before
	if err := c.Fault(); !errors.Is(err, errNoRoom) {
		t.Errorf("the client knows of %v, want %v", err, errNoRoom)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	c.Keep("two", pipe.w)
	p.want(map[string]int{"one": 1, "two": 1})
}
