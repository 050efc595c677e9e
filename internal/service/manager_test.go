package service

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A listener keeps what systemd would hear, with the time since the test began.
type listener struct {
	began time.Time
	heard []string
}

func (l *listener) hear(state string) (bool, error) {
	for line := range strings.Lines(state) {
		l.heard = append(l.heard, time.Since(l.began).String()+" "+strings.TrimSpace(line))
	}
	return true, nil
}

func TestWatchdogHearsOnlyTheLiving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &listener{began: time.Now()}
		var log strings.Builder
		m := &Manager{watchdog: 9 * time.Second, send: l.hear,
			log: slog.New(slog.NewTextHandler(&log, nil))}
		ctx, cancel := context.WithTimeout(t.Context(), 13*time.Second)
		defer cancel()
		alive := func(ctx context.Context) error {
			if time.Since(l.began) < 5*time.Second {
				return nil
			}
			<-ctx.Done() // hangs
			return errors.New("shard 1 does not turn")
		}
		sessions := "no sessions"
		time.AfterFunc(4*time.Second, func() { sessions = "2 sessions" })
		if err := m.Run(ctx, alive, func() string { return sessions }); err != nil {
			t.Fatal(err)
		}
		want := []string{"0s STATUS=no sessions", "0s WATCHDOG=1", "3s WATCHDOG=1",
			"9s STATUS=2 sessions"}
		if !slices.Equal(l.heard, want) {
			t.Errorf("systemd heard %q, want %q", l.heard, want)
		}
		if !strings.Contains(log.String(), "shard 1 does not turn") {
			t.Errorf("the log does not say what hangs: %s", log.String())
		}
	})
}

// TestSystemd is the real way: a datagram to the socket that the environment names.
func TestSystemd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "30000000")
	m, err := NewManager(slog.New(slog.DiscardHandler))
	if err != nil || m.watchdog != 30*time.Second {
		t.Fatalf("watchdog %v, %v", m.watchdog, err)
	}
	m.Reloading()
	m.Ready()
	m.Stopping()
	for _, want := range []string{"RELOADING=1\nMONOTONIC_USEC=", "READY=1", "STOPPING=1"} {
		b := make([]byte, 200)
		n, err := c.Read(b)
		if got := string(b[:n]); err != nil || !strings.HasPrefix(got, want) {
			t.Errorf("systemd heard %q, %v, want %q", got, err, want)
		}
	}
}

func TestNobodyListens(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	var log strings.Builder
	m, err := NewManager(slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	m.Ready()
	if log.Len() > 0 {
		t.Errorf("logged: %s", log.String())
	}
}

func TestLogDump(t *testing.T) {
	block := make(chan struct{})
	defer close(block)
	for range 3 {
		go waitHere(block)
	}
	var log strings.Builder
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(log.String(),
		"msg=goroutines count=3 at=service.waitHere\n"); {
		log.Reset()
		LogDump(slog.New(slog.NewTextHandler(&log, nil)))
		if time.Now().After(deadline) {
			t.Fatal(log.String())
		}
	}
	if !strings.Contains(log.String(), "msg=memory heap=") {
		t.Errorf("no memory: %s", log.String())
	}
}

func waitHere(c <-chan struct{}) { <-c }
