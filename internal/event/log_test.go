package event

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"culvert/api"
)

func publish(l *Log, n int) {
	for range n {
		l.Publish(&api.Event{Type: api.EventType_EVENT_TYPE_TUNNEL_UP})
	}
}

// mustRead reads what is there already.
func mustRead(t *testing.T, l *Log, after uint64) []*api.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	events, err := l.Read(ctx, after)
	if err != nil {
		t.Fatalf("Read(%d): %v", after, err)
	}
	return events
}

// summary is the sequences of events, and how many were lost.
func summary(events []*api.Event) string {
	var s strings.Builder
	for _, e := range events {
		if e.Type == api.EventType_EVENT_TYPE_LOST {
			fmt.Fprintf(&s, "lost %d before ", e.Lost)
		}
		fmt.Fprintf(&s, "%d ", e.Sequence)
	}
	return s.String()
}

func TestReadFromASequence(t *testing.T) {
	l := NewLog(4)
	publish(l, 4)
	for after, want := range []string{"1 2 3 4 ", "2 3 4 ", "3 4 ", "4 "} {
		if got := summary(mustRead(t, l, uint64(after))); got != want {
			t.Errorf("after %d: %q, want %q", after, got, want)
		}
	}
}

func TestReaderIsToldWhatItLost(t *testing.T) {
	l := NewLog(4)
	publish(l, 10)
	for after, want := range map[uint64]string{
		0: "lost 6 before 6 7 8 9 10 ",
		2: "lost 4 before 6 7 8 9 10 ",
		5: "lost 1 before 6 7 8 9 10 ",
		6: "7 8 9 10 ",
	} {
		if got := summary(mustRead(t, l, after)); got != want {
			t.Errorf("after %d: %q, want %q", after, got, want)
		}
	}
	if oldest, newest := l.Range(); oldest != 7 || newest != 10 {
		t.Errorf("Range() = %d, %d, want 7, 10", oldest, newest)
	}
}

// TestReadersSeeAll: every reader sees or misses each event, whatever the order
// of reading and publishing.
// What peers call themselves need not be UTF-8, in which a message is encoded.
func TestTextsAreMadeReadable(t *testing.T) {
	l := NewLog(4)
	l.Publish(&api.Event{TunnelId: 7, User: "al\xffice", Peer: "192.0.2.1"})
	e := mustRead(t, l, 0)[0]
	if e.User != "al\uFFFDice" || e.Peer != "192.0.2.1" || e.TunnelId != 7 || e.Sequence != 1 {
		t.Errorf("read %v", e)
	}
}

func TestReadersSeeAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLog(1000)
		const events = 20000
		for range 4 {
			go func() {
				var last, lost uint64
				var seen int
				for last < events {
					for _, e := range mustRead(t, l, last) {
						if e.Type == api.EventType_EVENT_TYPE_LOST {
							lost += e.Lost
						} else if seen++; e.Sequence != last+1 {
							t.Errorf("event %d follows %d", e.Sequence, last)
						}
						last = e.Sequence
					}
				}
				if seen+int(lost) != events {
					t.Errorf("%d seen and %d lost, want %d together", seen, lost, events)
				}
			}()
		}
		publish(l, events)
		synctest.Wait()
	})
}

func TestReadWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLog(4)
		begin := time.Now()
		time.AfterFunc(time.Hour, func() { publish(l, 1) })
		events, err := l.Read(t.Context(), 0)
		if err != nil || summary(events) != "1 " {
			t.Fatalf("Read = %q, %v", summary(events), err)
		}
		if at := events[0].Time.AsTime(); !at.Equal(begin.Add(time.Hour)) {
			t.Errorf("the event's time is %v, want %v", at, begin.Add(time.Hour))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, err := l.Read(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Read = %v, want the context's error", err)
		}
	})
}

func TestNilLog(t *testing.T) {
	var l *Log
	publish(l, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Read(ctx, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("Read = %v, want the context's error", err)
	}
	if oldest, newest := l.Range(); oldest != 1 || newest != 0 {
		t.Errorf("Range() = %d, %d, want 1, 0", oldest, newest)
	}
}

func BenchmarkPublish(b *testing.B) {
	l := NewLog(DefaultCapacity)
	b.ReportAllocs()
	for b.Loop() {
		publish(l, 1)
	}
}
