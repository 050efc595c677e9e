package journal

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"culvert/internal/journal/journaltest"
)

func TestMain(m *testing.M) {
	journaltest.Unlogged()
	m.Run()
}

func key(session uint16) Key { return Key{Kind: 's', Tunnel: 7, Session: session} }

// mustOpen opens a directory, which must be in order.
func mustOpen(t *testing.T, path string) (*Dir, Records) {
	t.Helper()
	d, records, err := Open(path)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return d, records
}

// mustBegin makes a journal and has it count.
func mustBegin(t *testing.T, d *Dir) *Writer {
	t.Helper()
	w := newWriter(d)
	d.Begin()
	if err := d.Fault("things"); err != nil {
		t.Fatalf("Begin: %v", err)
	}
	return w
}

// newWriter makes a journal whose owner never writes it anew.
func newWriter(d *Dir) *Writer { return d.Writer("things", func() {}) }

// nothing is all that there is to be written anew, where that is not to be.
func nothing() {}

// put records things, and flushes them.
func put(w *Writer, things map[Key]string) error {
	all := func() {
		for k, v := range things {
			w.Put(k, []byte(v))
		}
	}
	all()
	return w.Flush(all)
}

// texts are records as texts.
func texts(r Records) map[Key]string {
	m := make(map[Key]string)
	for k, v := range r {
		m[k] = string(v)
	}
	return m
}

func checkRecords(t *testing.T, got Records, want map[Key]string) {
	t.Helper()
	if !maps.Equal(texts(got), want) {
		t.Errorf("records: %v, want %v", texts(got), want)
	}
}

// abandon ends the use of a directory as a killed process does.
func abandon(d *Dir) {
	for _, w := range d.writers {
		w.file.Close()
	}
	d.lock.Close()
	d.root.Close()
}

func TestWhatIsFlushedIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	d, records := mustOpen(t, path)
	checkRecords(t, records, map[Key]string{})
	w := mustBegin(t, d)
	w.Put(key(1), []byte("one"))
	w.Put(key(2), []byte("two"))
	if err := w.Flush(nothing); err != nil {
		t.Fatal(err)
	}
	w.Put(key(1), []byte("uno"))
	w.Delete(key(2))
	w.Put(key(3), nil)
	if err := w.Flush(nothing); err != nil {
		t.Fatal(err)
	}
	w.Put(key(4), []byte("never flushed"))
	abandon(d)

	d, records = mustOpen(t, path)
	defer d.Close()
	checkRecords(t, records, map[Key]string{key(1): "uno", key(3): ""})
}

// The last process's records count until the next one's are whole.
func TestGenerations(t *testing.T) {
	path := t.TempDir()
	d, _ := mustOpen(t, path)
	w := mustBegin(t, d)
	w.Put(key(1), []byte("first"))
	w.Flush(nothing)
	abandon(d)

	d, _ = mustOpen(t, path)
	w = newWriter(d)
	w.Put(key(1), []byte("second"))
	w.Flush(nothing)
	abandon(d) // before Begin

	d, records := mustOpen(t, path)
	checkRecords(t, records, map[Key]string{key(1): "first"})
	w = mustBegin(t, d)
	w.Put(key(2), []byte("third"))
	w.Flush(nothing)
	abandon(d)

	d, records = mustOpen(t, path)
	defer d.Close()
	checkRecords(t, records, map[Key]string{key(2): "third"})
	mustBegin(t, d)
	files, err := os.ReadDir(path)
	if err != nil || len(files) != 3 { // current, lock and the journal
		t.Errorf("files of the past are left: %v, %v", files, err)
	}
}

// Journals that never counted do not count with those of a later process, which may have
// fewer of them.
func TestUncounted(t *testing.T) {
	path := t.TempDir()
	d, _ := mustOpen(t, path)
	mustBegin(t, d)
	abandon(d)

	d, _ = mustOpen(t, path)
	newWriter(d)
	w := newWriter(d)
	put(w, map[Key]string{key(1): "never counted"})
	if err := d.root.WriteFile(w.name+staleSuffix, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	abandon(d) // before Begin

	d, _ = mustOpen(t, path)
	put(newWriter(d), map[Key]string{key(2): "two"})
	if err := d.begin(); err != nil { // and killed before it removes what does not count
		t.Fatal(err)
	}
	abandon(d)

	d, records := mustOpen(t, path)
	defer d.Close()
	checkRecords(t, records, map[Key]string{key(2): "two"})
	checkRecords(t, d.Stale(), map[Key]string{})
}

// A file does not grow for ever by what is replaced.
func TestRewrite(t *testing.T) {
	path := t.TempDir()
	d, _ := mustOpen(t, path)
	w := mustBegin(t, d)
	value := bytes.Repeat([]byte("x"), 1000)
	for i := range 10 * roomy / len(value) {
		w.Put(key(1), append(value, byte(i)))
		if err := w.Flush(func() { w.Put(key(1), []byte("small")) }); err != nil {
			t.Fatal(err)
		}
		if w.size > 2*roomy {
			t.Fatalf("a file of %d bytes has one record", w.size)
		}
	}
	if err := w.Rewrite(func() { w.Put(key(1), []byte("small")) }); err != nil || w.size > 100 {
		t.Errorf("Rewrite: %v, %d bytes", err, w.size)
	}
	w.Put(key(2), []byte("after"))
	w.Flush(nothing)
	abandon(d)
	d, records := mustOpen(t, path)
	defer d.Close()
	checkRecords(t, records, map[Key]string{key(1): "small", key(2): "after"})
}

// A file that is large since there is much to be recorded is not written anew for that, as one is
// that has been replaced for the most part.
func TestGrowth(t *testing.T) {
	d, _ := mustOpen(t, t.TempDir())
	defer d.Close()
	w := mustBegin(t, d)
	const n = 5000
	value, rewritten := bytes.Repeat([]byte("x"), 1000), 0
	put := func(i int) { w.Put(key(uint16(i)), value) }
	all := func() {
		rewritten++
		for i := range n {
			put(i)
		}
	}
	for round := range 2 {
		for i := range n {
			put(i)
			w.Flush(all)
		}
		if rewritten > 0 {
			t.Fatalf("written anew in round %d, %d bytes of %d are of use", round, w.live, w.size)
		}
	}
	if each := int64(len(value) + 20); w.live < n*1000 || w.live > n*each {
		t.Errorf("%d bytes are of use, want %d to %d", w.live, n*1000, n*each)
	}
	for i := range n + 1 {
		put(i % n)
		w.Flush(all)
	}
	if rewritten != 1 || w.size > 2*w.live {
		t.Errorf("written anew %d times when two thirds were replaced, want once: %d bytes of %d are of use",
			rewritten, w.live, w.size)
	}
}

// What a burst has left is given back, and what there is stays.
func TestPack(t *testing.T) {
	path := t.TempDir()
	d, _ := mustOpen(t, path)
	w := mustBegin(t, d)
	left := func() { w.Put(key(1), []byte("left")) }
	left()
	w.Flush(nothing)
	if err := w.Pack(func() { t.Error("a small file is written anew") }); err != nil {
		t.Error(err)
	}
	burst := func() {
		left()
		for i := range 3000 {
			w.Put(key(uint16(i+2)), bytes.Repeat([]byte("x"), 1000))
		}
	}
	if err := w.Rewrite(burst); err != nil {
		t.Fatal(err)
	}
	for i := range 1500 {
		w.Delete(key(uint16(i + 2)))
		w.Flush(func() { t.Error("Flush writes anew what is half of use") })
	}
	if w.size < 3000*1000 {
		t.Fatalf("%d bytes: there is nothing to pack", w.size)
	}
	if err := w.Pack(left); err != nil || w.size > 100 {
		t.Errorf("Pack: %v, %d bytes", err, w.size)
	}
	abandon(d)
	d, records := mustOpen(t, path)
	defer d.Close()
	checkRecords(t, records, map[Key]string{key(1): "left"})
}

// Much is written in pieces, at once or anew, and counts whole.
func TestPieces(t *testing.T) {
	const n, size = 3000, 1000
	value := bytes.Repeat([]byte("x"), size)
	for _, name := range []string{"flush", "rewrite"} {
		t.Run(name, func(t *testing.T) {
			path := t.TempDir()
			d, _ := mustOpen(t, path)
			w := mustBegin(t, d)
			all := func() {
				for i := range n {
					w.Put(key(uint16(i)), value)
					if len(w.buffer) > piece {
						t.Fatalf("%d bytes wait to be written", len(w.buffer))
					}
				}
			}
			if name == "rewrite" {
				w.Rewrite(all)
			} else {
				all()
				half, err := os.ReadFile(filepath.Join(path, w.name))
				if got := make(Records); err != nil || len(half) < n*size/2 {
					t.Errorf("%d bytes are written, %v", len(half), err)
				} else if parse(half, got); len(got) > 0 {
					t.Errorf("%d records count before they are flushed", len(got))
				}
				w.Flush(nothing)
			}
			w.Put(key(n), []byte("after"))
			if w.Flush(nothing) != nil {
				t.Error("Flush fails")
			}
			abandon(d)
			d, records := mustOpen(t, path)
			defer d.Close()
			if len(records) != n+1 || !bytes.Equal(records[key(n-1)], value) {
				t.Errorf("%d records, want %d", len(records), n+1)
			}
		})
	}
}

// A process that is killed while it writes leaves half a record: those before count.
func TestHalfARecord(t *testing.T) {
	whole := []byte("culvert journal 1\n")
	whole = appendRecord(whole, opPut, key(1), []byte("one"))
	whole = appendRecord(whole, opEnd, Key{}, nil)
	first := len(whole)
	whole = appendRecord(whole, opPut, key(2), []byte("two"))
	whole = appendRecord(whole, opDelete, key(1), nil) // goes with the other one, or stays
	whole = appendRecord(whole, opEnd, Key{}, nil)
	for n := range len(whole) + 1 {
		got := make(Records)
		_, err := parse(whole[:n], got)
		want := map[Key]string{}
		if n >= first {
			want[key(1)] = "one"
		}
		if n == len(whole) {
			want = map[Key]string{key(2): "two"}
		}
		checkRecords(t, got, want)
		if good := n == first || n == len(whole) || n == len("culvert journal 1\n"); good != (err == nil) {
			t.Errorf("%d bytes: error %v", n, err)
		}
		if err != nil && !errors.Is(err, errDamaged) {
			t.Errorf("%d bytes: error %v, want %v", n, err, errDamaged)
		}
	}
}

func TestDamage(t *testing.T) {
	b := appendRecord([]byte("culvert journal 1\n"), opPut, key(1), []byte("one"))
	b = appendRecord(b, opEnd, Key{}, nil)
	for i := range b {
		bad := slices.Clone(b)
		bad[i] ^= 0x10
		got := make(Records)
		if _, err := parse(bad, got); err == nil && i != len("culvert journal ") {
			t.Errorf("byte %d changed: no error, records %v", i, texts(got))
		}
	}
}

func TestNewerFormat(t *testing.T) {
	path := t.TempDir()
	d, _ := mustOpen(t, path)
	mustBegin(t, d)
	abandon(d)
	text := appendRecord([]byte("culvert journal 2\n"), opPut, key(1), []byte("?"))
	text = appendRecord(text, opEnd, Key{}, nil)
	if err := os.WriteFile(filepath.Join(path, "1-0"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	d, records, err := Open(path)
	if !errors.Is(err, ErrNewer) || len(records) > 0 {
		t.Errorf("Open: %v, %v, want no records and %v", texts(records), err, ErrNewer)
	}
	mustBegin(t, d)
	abandon(d)
	d, _ = mustOpen(t, path)
	d.Close()
}

func TestDiscard(t *testing.T) {
	path := t.TempDir()
	d, _ := mustOpen(t, path)
	w, stale := newWriter(d), newWriter(d)
	d.Begin()
	put(w, map[Key]string{key(1): "one"})
	put(stale, map[Key]string{key(2): "two"})
	makeRoom := journaltest.Fill(t)
	put(stale, map[Key]string{key(2): "lost"})
	makeRoom()
	if err := d.Discard(); err != nil {
		t.Errorf("Discard: %v", err)
	}
	put(w, map[Key]string{key(3): "too late"})
	if left, err := filepath.Glob(filepath.Join(path, "*")); err != nil || len(left) != 1 {
		t.Errorf("%q are left, %v, want the lock", left, err)
	}
	d, records := mustOpen(t, path)
	defer d.Close()
	checkRecords(t, records, map[Key]string{})
}

// TestCloseWaits: a directory is not closed under an owner who was asked to write again.
func TestCloseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _ := mustOpen(t, t.TempDir())
		var writes, closed atomic.Bool
		proceed := make(chan bool)
		w := d.Writer("things", func() {
			writes.Store(true)
			<-proceed
		})
		makeRoom := journaltest.Fill(t)
		put(w, map[Key]string{key(1): "one"})
		makeRoom()
		time.Sleep(Retry)
		synctest.Wait()
		go func() {
			d.Close()
			closed.Store(true)
		}()
		synctest.Wait()
		if !writes.Load() || closed.Load() {
			t.Errorf("an owner writes: %v, the directory is closed: %v", writes.Load(), closed.Load())
		}
		proceed <- true
		synctest.Wait()
		if !closed.Load() {
			t.Error("the directory is not closed")
		}
	})
}

func TestOneProcessAtATime(t *testing.T) {
	path := t.TempDir()
	d, _ := mustOpen(t, path)
	if _, _, err := Open(path); !errors.Is(err, ErrInUse) {
		t.Errorf("a second Open: %v, want %v", err, ErrInUse)
	}
	d.Close()
	d, _ = mustOpen(t, path)
	d.Close()
}

func TestOnlyWeCanRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	d, _ := mustOpen(t, path)
	defer d.Close()
	mustBegin(t, d)
	for name, want := range map[string]os.FileMode{path: 0o700, filepath.Join(path, "1-0"): 0o600} {
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: mode %v, %v, want %v", name, info.Mode().Perm(), err, want)
		}
	}
}

// An owner has things of which a journal is kept.
type owner struct {
	mu     sync.Mutex
	w      *Writer
	things map[Key]string
}

func newOwner(d *Dir) *owner {
	o := &owner{things: make(map[Key]string)}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.w = d.Writer("things", func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		put(o.w, o.things)
	})
	return o
}

// set changes a thing.
func (o *owner) set(k Key, text string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.things[k] = text
	return put(o.w, o.things)
}

// faults collects what a directory tells of.
func faults(d *Dir) (told func() []string) {
	var mu sync.Mutex
	var all []string
	d.Notify(func(what string, err error) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, fmt.Sprint(what, " lost: ", err != nil))
	})
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}
}

// What cannot be written is told of, once, and is not what the next process finds. It is
// written whole when there is room again.
func TestFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := t.TempDir()
		d, _ := mustOpen(t, path)
		o := newOwner(d)
		other := d.Writer("others", nothing)
		d.Begin()
		told := faults(d)
		o.set(key(1), "one")
		put(other, map[Key]string{key(9): "nine"})

		makeRoom := journaltest.Fill(t)
		for i := range 3 {
			if err := o.set(key(1), fmt.Sprint(i)); !errors.Is(err, syscall.EFBIG) {
				t.Errorf("Flush: %v, want %v", err, syscall.EFBIG)
			}
			time.Sleep(time.Second)
			synctest.Wait()
		}
		if d.Fault("things") == nil || d.Fault("others") != nil {
			t.Errorf("faults: %v, %v", d.Fault("things"), d.Fault("others"))
		}
		found := peek(t, path)
		checkRecords(t, found, map[Key]string{key(9): "nine"})
		time.Sleep(3 * Retry)
		synctest.Wait()
		if n := len(told()); n != 1 {
			t.Errorf("told %q, want once", told())
		}

		makeRoom()
		time.Sleep(Retry + time.Second) // nothing changes meanwhile
		synctest.Wait()
		if want := []string{"things lost: true", "things lost: false"}; !slices.Equal(told(), want) {
			t.Errorf("told %q, want %q", told(), want)
		}
		checkRecords(t, peek(t, path), map[Key]string{key(1): "2", key(9): "nine"})
		if err := o.set(key(3), "three"); err != nil {
			t.Error(err)
		}
		abandon(d)
		d, records := mustOpen(t, path)
		defer d.Close()
		checkRecords(t, records, map[Key]string{key(1): "2", key(3): "three", key(9): "nine"})
		if len(d.Stale()) > 0 {
			t.Errorf("stale: %v", texts(d.Stale()))
		}
	})
}

// peek reads what the next process would find.
func peek(t *testing.T, path string) Records {
	t.Helper()
	root, err := os.OpenRoot(path)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	records, err := (&Dir{root: root, stale: make(Records)}).read()
	if err != nil {
		t.Error(err)
	}
	return records
}

// The next process is told what was true once.
func TestStale(t *testing.T) {
	path := t.TempDir()
	d, _ := mustOpen(t, path)
	w, other := newWriter(d), newWriter(d)
	d.Begin()
	put(w, map[Key]string{key(1): "one"})
	put(other, map[Key]string{key(2): "two"})
	makeRoom := journaltest.Fill(t)
	put(w, map[Key]string{key(1): "lost"})
	makeRoom()
	abandon(d)
	d, records := mustOpen(t, path)
	defer d.Close()
	checkRecords(t, records, map[Key]string{key(2): "two"})
	checkRecords(t, d.Stale(), map[Key]string{key(1): "one"})
	mustBegin(t, d)
	if files, err := os.ReadDir(path); err != nil || len(files) != 3 || len(d.Stale()) > 0 {
		t.Errorf("files of the past are left: %v, %v, stale: %v", files, err, texts(d.Stale()))
	}
}

// A file that is crowded and cannot be written anew is whole all the same.
func TestFullWhileCrowded(t *testing.T) {
	path := t.TempDir()
	d, _ := mustOpen(t, path)
	defer d.Close()
	w := mustBegin(t, d)
	put(w, map[Key]string{key(1): "one"})
	makeRoom := journaltest.Fill(t)
	if w.Rewrite(func() { w.Put(key(1), []byte("uno")) }) == nil {
		t.Error("Rewrite: no error")
	}
	makeRoom()
	if err := d.Fault("things"); err != nil {
		t.Errorf("Fault: %v", err)
	}
	if err := put(w, map[Key]string{key(2): "two"}); err != nil {
		t.Error(err)
	}
	checkRecords(t, peek(t, path), map[Key]string{key(1): "one", key(2): "two"})
}

// A process that begins when there is no room says so, does not leave what the last one
// left as if it were its own, and goes on once there is.
func TestFullAtTheBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := t.TempDir()
		d, _ := mustOpen(t, path)
		put(mustBegin(t, d), map[Key]string{key(1): "of the last process"})
		abandon(d)
		makeRoom := journaltest.Fill(t)
		d, records := mustOpen(t, path)
		defer d.Close()
		checkRecords(t, records, map[Key]string{key(1): "of the last process"})
		o := newOwner(d)
		o.set(key(1), "one")
		d.Begin()
		if d.Fault("things") == nil {
			t.Error("no fault")
		}
		checkRecords(t, peek(t, path), map[Key]string{})
		makeRoom()
		time.Sleep(2*Retry + time.Second)
		synctest.Wait()
		if err := d.Fault("things"); err != nil {
			t.Errorf("Fault: %v", err)
		}
		checkRecords(t, peek(t, path), map[Key]string{key(1): "one"})
	})
}

func TestRemove(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	if err := Remove(path); err != nil {
		t.Errorf("of what is not there: %v", err)
	}
	d, _ := mustOpen(t, path)
	put(mustBegin(t, d), map[Key]string{key(1): "one"})
	if err := Remove(path); !errors.Is(err, ErrInUse) {
		t.Errorf("of what is in use: %v, want %v", err, ErrInUse)
	}
	abandon(d)
	foreign := filepath.Join(path, "notes-1")
	if err := os.WriteFile(foreign, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Remove(path); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(foreign); err != nil {
		t.Errorf("somebody else's file: %v", err)
	}
	if _, err := os.Stat(filepath.Join(path, "1-0")); err == nil {
		t.Error("a journal is left")
	}
	d, records := mustOpen(t, path)
	defer d.Close()
	checkRecords(t, records, map[Key]string{})
}

func FuzzParse(f *testing.F) {
	good := appendRecord([]byte("culvert journal 1\n"), opPut, key(1), []byte("one"))
	f.Add(appendRecord(good, opEnd, Key{}, nil))
	f.Add(appendRecord(appendRecord(good, opDelete, key(1), nil), opEnd, Key{}, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		got := make(Records)
		format, err := parse(b, got)
		if err != nil || format != Format {
			return
		}
		again := []byte("culvert journal 1\n")
		for k, v := range got {
			again = appendRecord(again, opPut, k, v)
		}
		again = appendRecord(again, opEnd, Key{}, nil)
		twice := make(Records)
		if _, err := parse(again, twice); err != nil || !maps.Equal(texts(got), texts(twice)) {
			t.Errorf("read %v, then %v, %v", texts(got), texts(twice), err)
		}
	})
}

func BenchmarkFlush(b *testing.B) {
	d, _, err := Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	w := newWriter(d)
	value := make([]byte, 400)
	all := func() { w.Put(key(1), value) }
	for b.Loop() {
		all()
		if err := w.Flush(all); err != nil {
			b.Fatal(err)
		}
	}
}
