package event

import (
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/internal/journal"
	"culvert/internal/journal/journaltest"
)

func TestMain(m *testing.M) {
	journaltest.Unlogged()
	m.Run()
}

// reopen makes a log of what a killed process has left in a directory.
func reopen(t *testing.T, path string, capacity int) *Log {
	t.Helper()
	d, records, err := journal.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	l := NewLog(capacity)
	l.Restore(records)
	l.KeepIn(d)
	d.Begin()
	if err := d.Fault(JournalKind); err != nil {
		t.Fatal(err)
	}
	return l
}

// Whoever watched before the restart reads on as if there had been none.
func TestEventsOutliveTheProcess(t *testing.T) {
	path := t.TempDir()
	for _, n := range []struct{ publish, capacity int }{{3, 8}, {0, 8}, {2, 8}, {7, 8}, {1, 4}} {
		t.Run("", func(t *testing.T) {
			l := reopen(t, path, n.capacity)
			before := l.last
			publish(l, n.publish)
			if l.last != before+uint64(n.publish) {
				t.Errorf("last = %d, want %d", l.last, before+uint64(n.publish))
			}
		})
	}
	l := reopen(t, path, 8)
	if got, want := summary(mustRead(t, l, 0)), "lost 9 before 9 10 11 12 13 "; got != want {
		t.Errorf("events: %q, want %q", got, want)
	}
	if got, want := summary(mustRead(t, l, 10)), "11 12 13 "; got != want {
		t.Errorf("events after 10: %q, want %q", got, want)
	}
	publish(l, 1)
	if got, want := summary(mustRead(t, l, 12)), "13 14 "; got != want {
		t.Errorf("events after 12: %q, want %q", got, want)
	}
}

// A gap, of an event that could not be read, counts as lost, and so does all before it.
func TestEventsWithAGap(t *testing.T) {
	l := NewLog(8)
	records := make(journal.Records)
	from := NewLog(8)
	for _, n := range []uint64{1, 2, 4, 5} {
		e := &api.Event{Sequence: n}
		records[from.key(n)] = mustMarshal(t, e)
	}
	l.Restore(records)
	if got, want := summary(mustRead(t, l, 0)), "lost 3 before 3 4 5 "; got != want {
		t.Errorf("events: %q, want %q", got, want)
	}
}

func mustMarshal(t *testing.T, e *api.Event) []byte {
	t.Helper()
	b, err := proto.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Events that there was no room for are kept once there is, without another one.
func TestNoRoomForEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _, err := journal.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { d.Close() }()
		l := NewLog(8)
		l.KeepIn(d)
		d.Begin()
		publish(l, 1)
		makeRoom := journaltest.Fill(t)
		publish(l, 2)
		if d.Fault(JournalKind) == nil {
			t.Error("nothing is wrong")
		}
		makeRoom()
		time.Sleep(journal.Retry)
		synctest.Wait()
		if err := d.Fault(JournalKind); err != nil {
			t.Errorf("still wrong: %v", err)
		}
		d.Close()
		var records journal.Records
		if d, records, err = journal.Open(d.Path()); err != nil {
			t.Fatal(err)
		}
		l = NewLog(8)
		l.Restore(records)
		if got, want := summary(mustRead(t, l, 0)), "1 2 3 "; got != want {
			t.Errorf("events: %q, want %q", got, want)
		}
	})
}
