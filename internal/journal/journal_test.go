package journal

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

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
	w, err := d.Writer()
	if err == nil {
		err = d.Begin()
	}
	if err != nil {
		t.Fatalf("Begin: %v", err)
	}
	return w
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
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	w.Put(key(1), []byte("uno"))
	w.Delete(key(2))
	w.Put(key(3), nil)
	if err := w.Flush(); err != nil {
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
	w.Flush()
	abandon(d)

	d, _ = mustOpen(t, path)
	w, err := d.Writer()
	if err != nil {
		t.Fatal(err)
	}
	w.Put(key(1), []byte("second"))
	w.Flush()
	abandon(d) // before Begin

	d, records := mustOpen(t, path)
	checkRecords(t, records, map[Key]string{key(1): "first"})
	w = mustBegin(t, d)
	w.Put(key(2), []byte("third"))
	w.Flush()
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

func TestRewrite(t *testing.T) {
	path := t.TempDir()
	d, _ := mustOpen(t, path)
	w := mustBegin(t, d)
	value := bytes.Repeat([]byte("x"), 1000)
	for i := 0; !w.Crowded(); i++ {
		w.Put(key(1), append(value, byte(i)))
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if w.size > 2*roomy {
			t.Fatalf("a file of %d bytes with one record is not crowded", w.size)
		}
	}
	if err := w.Rewrite(func() { w.Put(key(1), []byte("small")) }); err != nil {
		t.Fatal(err)
	}
	if w.Crowded() || w.size > 100 {
		t.Errorf("crowded: %v with %d bytes", w.Crowded(), w.size)
	}
	w.Put(key(2), []byte("after"))
	w.Flush()
	abandon(d)
	d, records := mustOpen(t, path)
	defer d.Close()
	checkRecords(t, records, map[Key]string{key(1): "small", key(2): "after"})
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

func TestClear(t *testing.T) {
	path := t.TempDir()
	d, _ := mustOpen(t, path)
	w := mustBegin(t, d)
	w.Put(key(1), []byte("one"))
	w.Flush()
	for range 2 {
		if err := d.Clear(); err != nil {
			t.Errorf("Clear: %v", err)
		}
	}
	d.Close()
	d, records := mustOpen(t, path)
	defer d.Close()
	checkRecords(t, records, map[Key]string{})
}

func TestOneProcessAtATime(t *testing.T) {
	path := t.TempDir()
	d, _ := mustOpen(t, path)
	if _, _, err := Open(path); err == nil {
		t.Error("a second Open succeeds")
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

// After a write that failed nothing more is written: it could not be read.
func TestNothingFollowsHalfARecord(t *testing.T) {
	path := t.TempDir()
	d, _ := mustOpen(t, path)
	w := mustBegin(t, d)
	w.Put(key(1), []byte("one"))
	w.Flush()
	good := w.file
	bad, err := os.Open(filepath.Join(path, "1-0"))
	if err != nil {
		t.Fatal(err)
	}
	w.file = bad // cannot be written to
	w.Put(key(1), []byte("lost"))
	if w.Flush() == nil {
		t.Fatal("Flush: no error")
	}
	w.file = good
	w.Put(key(2), []byte("lost"))
	if w.Flush() == nil {
		t.Error("Flush after one that failed: no error")
	}
	if err := w.Rewrite(func() { w.Put(key(1), []byte("anew")) }); err != nil {
		t.Fatal(err)
	}
	w.Put(key(3), []byte("three"))
	if err := w.Flush(); err != nil {
		t.Error(err)
	}
	abandon(d)
	d, records := mustOpen(t, path)
	defer d.Close()
	checkRecords(t, records, map[Key]string{key(1): "anew", key(3): "three"})
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
	w, err := d.Writer()
	if err != nil {
		b.Fatal(err)
	}
	value := make([]byte, 400)
	for b.Loop() {
		w.Put(key(1), value)
		if err := w.Flush(); err != nil {
			b.Fatal(err)
		}
		if w.Crowded() {
			w.Rewrite(func() { w.Put(key(1), value) })
		}
	}
}
