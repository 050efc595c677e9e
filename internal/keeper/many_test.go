package keeper

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// limitFiles sets how many descriptors this process may have, as far as it may, until the
// end of the test, and returns how many that is.
func limitFiles(t *testing.T, n uint64) uint64 {
	t.Helper()
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
			t.Error(err)
		}
	})
	for _, now := range []syscall.Rlimit{
		{Cur: n, Max: max(n, before.Max)}, // root may raise it
		{Cur: min(n, before.Max), Max: before.Max},
	} {
		if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &now) == nil {
			return now.Cur
		}
	}
	t.Fatal("the limit of open files cannot be set")
	return 0
}

// TestListMany has the keeper hold what 50,000 sessions have, and gives it to the
// next client, whole and without delay.
func TestListMany(t *testing.T) {
	const each, spare = 3, 1000
	sessions := 50_000
	// Keeper and client are one process here: each descriptor is there twice.
	limit := limitFiles(t, uint64(2*each*sessions+spare))
	sessions = min(sessions, int(limit-spare)/(2*each))
	p := started(t)
	c, _ := p.dial()
	pipe := newPipe(t)
	defer syscall.Close(pipe.r)
	began := time.Now()
	for i := range sessions {
		c.Keep(fmt.Sprintf("session/%d/%d", i>>16, i&0xffff), pipe.w, pipe.w)
		c.Keep(fmt.Sprintf("unit/%d/%d", i>>16, i&0xffff), pipe.w)
	}
	syscall.Close(pipe.w)
	kept := time.Since(began)
	c.Close()
	began = time.Now()
	next, all, err := Dial(p.path)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	t.Logf("%d descriptors: kept in %v, given back in %v", each*sessions, kept, time.Since(began))
	count := 0
	var keys []string
	for key, fds := range all {
		count += len(fds)
		if strings.HasPrefix(key, "session/") == (len(fds) == 1) {
			t.Errorf("%d descriptors of %s", len(fds), key)
		}
		CloseAll(fds)
		keys = append(keys, key)
	}
	if len(all) != 2*sessions || count != each*sessions {
		t.Errorf("%d descriptors of %d keys, want %d of %d", count, len(all), each*sessions, 2*sessions)
	}
	if !pipe.held() {
		t.Error("the keeper does not hold them any more")
	}
	for some := range slices.Chunk(keys, 10_000) {
		next.Drop(t.Context(), some...)
	}
	if pipe.held() {
		t.Error("what was dropped is held")
	}
}

// loseCapabilities takes this thread's, which is not to be used for anything else.
func loseCapabilities(t *testing.T) {
	t.Helper()
	header := struct {
		version uint32
		pid     int32
	}{version: 0x20080522} // _LINUX_CAPABILITY_VERSION_3
	var none [2]struct{ effective, permitted, inheritable uint32 }
	_, _, errno := syscall.Syscall(syscall.SYS_CAPSET,
		uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&none)), 0)
	if errno != 0 {
		t.Errorf("capset: %v", errno)
	}
}

// socketPair is two ends of a connection.
func socketPair(t *testing.T) (a, b *socket) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]*socket
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "")
		conn, err := net.FileConn(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		ends[i] = newSocket(conn.(*net.UnixConn))
		t.Cleanup(func() { conn.Close() })
	}
	return ends[0], ends[1]
}

// TestTooManyInFlight sends descriptors to somebody who does not read, until the kernel takes no
// more of a user without capabilities: sending goes on when he reads.
func TestTooManyInFlight(t *testing.T) {
	a, b := socketPair(t)
	pipe := newPipe(t)
	defer CloseAll([]int{pipe.r, pipe.w})
	many := slices.Repeat([]int{pipe.w}, 100)
	keep := message{op: opKeep, keys: []string{"key"}}
	limitFiles(t, uint64(pipe.w)+150) // also of how many may be on their way
	const more = 100
	full, sent := make(chan int, 1), make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and it ends with the goroutine
		loseCapabilities(t)
		for n := 0; ; n++ {
			_, _, err := a.WriteMsgUnix(keep.append(nil), syscall.UnixRights(many...), nil)
			if errors.Is(err, syscall.ETOOMANYREFS) {
				full <- n
				break
			}
			if err != nil || n > 100 {
				t.Errorf("message %d: %v, want %v at last", n, err, syscall.ETOOMANYREFS)
				full <- n
				break
			}
		}
		var err error
		for i := 0; i < more && err == nil; i++ {
			err = a.send(keep, many...)
		}
		sent <- err
	}()
	n := <-full
	for range n + more {
		b.SetReadDeadline(time.Now().Add(patient))
		m, fds, err := b.receive()
		CloseAll(fds)
		if err != nil || m.op != opKeep || len(fds) != len(many) {
			t.Fatalf("received %+v with %d descriptors, %v", m, len(fds), err)
		}
	}
	if err := <-sent; err != nil {
		t.Errorf("sending: %v", err)
	}
}
