package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Format is that of the files written here. Older ones are read.
const Format = 1

// ErrNewer is the cause of an error about state that a newer program has written.
var ErrNewer = errors.New("written by a newer program")

// ErrInUse is the cause of an error about a directory that another process uses.
var ErrInUse = errors.New("another process uses it")

// A Dir is a directory of journals. Those of one generation count; the next
// process reads them, writes its own as the next generation, and has that count
// once it is whole.
type Dir struct {
	path       string
	root       *os.Root
	lock       *os.File
	generation uint64
	stale      Records
	closed     atomic.Bool
	retrying   sync.WaitGroup // owners who write again

	mu      sync.Mutex // guards what follows
	writers []*Writer
	faults  map[*Writer]error // why a journal is not whole
	begins  bool              // the generation is to count,
	vain    error             // why it does not
	timer   *time.Timer       // until that is tried again
	notify  func(what string, err error)
}

// current is the file that names the generation that counts, lockFile is locked by
// the process that uses the directory.
const (
	current  = "current"
	lockFile = "lock"
)

// A file has newSuffix while it is being written, and staleSuffix after what was to
// follow could not be.
const (
	newSuffix   = ".new"
	staleSuffix = ".stale"
)

// Open opens a directory, which it makes if it is not there, and reads what the
// last process has kept. Nobody else can open it until it is closed.
//
// The records are good whatever the error, as far as they could be read; the error
// is then about the rest. If there is no directory there is none of the error's Dir.
func Open(path string) (*Dir, Records, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, nil, err
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, nil, err
	}
	d := &Dir{path: path, root: root, stale: make(Records), faults: make(map[*Writer]error)}
	if err := d.claim(path); err != nil {
		root.Close()
		return nil, nil, err
	}
	records, err := d.read()
	d.generation++
	return d, records, errors.Join(err, d.removeUncounted())
}

// Path is where the directory is.
func (d *Dir) Path() string { return d.path }

// claim locks the directory.
func (d *Dir) claim(path string) (err error) {
	d.lock, err = d.root.OpenFile(lockFile, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := syscall.Flock(int(d.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		d.lock.Close()
		return fmt.Errorf("%s: %w", path, ErrInUse)
	}
	return nil
}

// read reads the generation that counts.
func (d *Dir) read() (Records, error) {
	records := make(Records)
	text, err := d.root.ReadFile(current)
	if errors.Is(err, fs.ErrNotExist) {
		return records, nil
	}
	if err != nil {
		return records, err
	}
	d.generation, err = strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return records, fmt.Errorf("%s: which generation counts: %w", current, errDamaged)
	}
	names, err := d.files()
	errs := []error{err}
	for _, name := range names {
		if strings.HasSuffix(name, staleSuffix) {
			d.readFile(name, d.stale) // as far as it can be
			continue
		}
		if err := d.readFile(name, records); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	return records, errors.Join(errs...)
}

func (d *Dir) readFile(name string, records Records) error {
	text, err := d.root.ReadFile(name)
	if err != nil {
		return err
	}
	found := make(Records)
	format, err := parse(text, found)
	if format > Format {
		return fmt.Errorf("format %d, and %d is the last one known: %w", format, Format, ErrNewer)
	}
	maps.Copy(records, found)
	return err
}

// files returns the names of the generation's journals, in order. One that was set
// aside is among them unless it has been written anew since.
func (d *Dir) files() ([]string, error) {
	entries, err := fs.ReadDir(d.root.FS(), ".")
	var names []string
	for _, entry := range entries {
		index, ok := strings.CutPrefix(entry.Name(), fmt.Sprintf("%d-", d.generation))
		whole, stale := strings.CutSuffix(index, staleSuffix)
		if _, bad := strconv.Atoi(whole); !ok || bad != nil {
			continue
		}
		if _, err := d.root.Stat(strings.TrimSuffix(entry.Name(), staleSuffix)); !stale || err != nil {
			names = append(names, entry.Name())
		}
	}
	slices.Sort(names)
	return names, err
}

// Stale returns records of journals that could not be written to their end: they were
// true once. It returns nothing after Begin.
func (d *Dir) Stale() Records { return d.stale }

// Notify has f called when nothing of a kind can be kept any more, with the cause, and
// with nil when it is kept again. It must not call the Dir.
func (d *Dir) Notify(f func(what string, err error)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.notify = f
}

// Fault returns why something of a kind would not be there for the next process, nil if
// it would be.
func (d *Dir) Fault(what string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.fault(what)
}

func (d *Dir) fault(what string) error {
	for _, w := range d.writers {
		if err := d.faults[w]; err != nil && w.what == what {
			return err
		}
	}
	return d.vain
}

// Writer makes a journal of the next generation for something of a kind, which is the word
// for it. When it could not be written, retry is called a while later, from a goroutine of
// its own: the owner is to call Flush then.
func (d *Dir) Writer(what string, retry func()) *Writer {
	d.mu.Lock()
	w := &Writer{dir: d, what: what, retry: retry,
		name: fmt.Sprintf("%d-%d", d.generation, len(d.writers))}
	d.writers = append(d.writers, w)
	d.mu.Unlock()
	w.Rewrite(func() {}) // or later
	return w
}

// isLost notes that a journal is not whole.
func (d *Dir) isLost(w *Writer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.change(func() {
		if d.faults[w] == nil {
			d.setAside(w)
		}
		d.faults[w] = w.lost
		if w.timer != nil {
			w.timer.Stop()
		}
		w.timer = time.AfterFunc(Retry, func() { d.again(w) })
	})
}

// again has an owner write again, unless the directory is closed.
func (d *Dir) again(w *Writer) {
	d.mu.Lock()
	closed := d.closed.Load()
	if !closed {
		d.retrying.Add(1)
	}
	d.mu.Unlock()
	if closed {
		return
	}
	defer d.retrying.Done()
	w.retry()
}

// stop ends what goes on by itself.
func (d *Dir) stop() {
	d.mu.Lock()
	d.closed.Store(true)
	d.mu.Unlock()
	d.retrying.Wait()
}

// setAside has a journal not count any more. What can be done about one that cannot even
// be renamed is that none counts.
func (d *Dir) setAside(w *Writer) {
	err := d.root.Rename(w.name, w.name+staleSuffix)
	if err == nil || errors.Is(err, fs.ErrNotExist) || d.root.Remove(w.name) == nil {
		return
	}
	d.vain = errors.Join(err, d.clear())
}

// isWhole notes that a journal is whole, and has the generation count if it does not for
// want of that.
func (d *Dir) isWhole(w *Writer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.faults[w] == nil {
		return
	}
	d.change(func() {
		delete(d.faults, w)
		d.root.Remove(w.name + staleSuffix)
		if d.vain != nil {
			d.tryBegin()
		}
	})
}

// change does something that may change faults, and tells of those that did. d.mu is held.
func (d *Dir) change(do func()) {
	before := make(map[string]error)
	for _, w := range d.writers {
		before[w.what] = d.fault(w.what)
	}
	do()
	for what, was := range before {
		if is := d.fault(what); d.notify != nil && (was == nil) != (is == nil) {
			d.notify(what, is)
		}
	}
}

// Begin makes the journals that Writer has made count, and removes the last process's. If
// that cannot be, none counts until it can: what the last process has left is not
// true any more.
func (d *Dir) Begin() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.begins, d.stale = true, nil
	d.change(d.tryBegin)
}

// tryBegin has the generation count, now or later. d.mu is held.
func (d *Dir) tryBegin() {
	if !d.begins || d.closed.Load() {
		return
	}
	err := d.begin()
	if d.vain = err; err == nil {
		_ = d.removeOthers() // what is left of them does not count
		return
	}
	d.vain = fmt.Errorf("writing state: %w", errors.Join(err, d.clear()))
	d.timer = time.AfterFunc(Retry, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.change(d.tryBegin)
	})
}

func (d *Dir) begin() error {
	f, err := d.create(current + newSuffix)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, d.generation)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return d.root.Rename(current+newSuffix, current)
}

// removeOthers removes what does not count: of the generation before, and half files.
func (d *Dir) removeOthers() error {
	return d.remove(func(name string) bool {
		return !slices.ContainsFunc(d.writers, func(w *Writer) bool { return name == w.name })
	})
}

// removeUncounted removes what there is of the generation that is to come: a process that
// ended before it counted may have had more journals than this one.
func (d *Dir) removeUncounted() error {
	return d.remove(func(name string) bool {
		return strings.HasPrefix(name, fmt.Sprintf("%d-", d.generation))
	})
}

// remove removes the journals with names of which that is said, whatever state they are in.
// What is not a journal at all is somebody else's.
func (d *Dir) remove(which func(name string) bool) error {
	entries, err := fs.ReadDir(d.root.FS(), ".")
	for _, entry := range entries {
		name := strings.TrimSuffix(strings.TrimSuffix(entry.Name(), staleSuffix), newSuffix)
		if isJournal(name) && which(name) {
			err = errors.Join(err, d.root.Remove(entry.Name()))
		}
	}
	return err
}

// isJournal reports whether a file has the name of a journal: its generation and its number.
func isJournal(name string) bool {
	generation, number, ok := strings.Cut(name, "-")
	_, bad := strconv.ParseUint(generation, 10, 64)
	_, worse := strconv.ParseUint(number, 10, 32)
	return ok && bad == nil && worse == nil
}

// clear has nothing count. The journals are there still, and may be written to.
func (d *Dir) clear() error {
	err := d.root.Remove(current)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Remove leaves nothing of a directory that may not be there, unless another process uses it.
func Remove(path string) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return err
	}
	d := &Dir{path: path, root: root}
	if err := d.claim(path); err != nil {
		root.Close()
		return err
	}
	return d.Discard()
}

// create makes an empty file that only we can read.
func (d *Dir) create(name string) (*os.File, error) {
	return d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
}

// Close closes the journals, which stay for the next process. What is written to them
// afterwards is lost; owners may not be writing.
func (d *Dir) Close() error {
	d.stop()
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.close()
}

// Discard is Close that leaves nothing for the next process: no journal counts, and then none is
// there, with the secrets in it.
func (d *Dir) Discard() error {
	d.stop()
	d.mu.Lock()
	defer d.mu.Unlock()
	err := d.clear()
	if err == nil {
		err = d.remove(func(string) bool { return true })
	}
	return errors.Join(err, d.close())
}

// close closes everything. d.mu is held.
func (d *Dir) close() error {
	if d.timer != nil {
		d.timer.Stop()
	}
	var errs []error
	for _, w := range d.writers {
		errs = append(errs, w.close())
	}
	return errors.Join(append(errs, d.lock.Close(), d.root.Close())...)
}
