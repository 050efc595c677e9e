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
	"syscall"
)

// Format is that of the files written here. Older ones are read.
const Format = 1

// ErrNewer is the cause of an error about state that a newer program has written.
var ErrNewer = errors.New("written by a newer program")

// A Dir is a directory of journals. Those of one generation count; the next
// process reads them, writes its own as the next generation, and has that count
// once it is whole.
type Dir struct {
	path       string
	root       *os.Root
	lock       *os.File
	generation uint64
	writers    []*Writer
}

// current is the file that names the generation that counts, lockFile is locked by
// the process that uses the directory.
const (
	current  = "current"
	lockFile = "lock"
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
	d := &Dir{path: path, root: root}
	if err := d.claim(path); err != nil {
		root.Close()
		return nil, nil, err
	}
	records, err := d.read()
	d.generation++
	return d, records, err
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
		return fmt.Errorf("%s: another process uses it: %w", path, err)
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

// files returns the names of the generation's journals, in order.
func (d *Dir) files() ([]string, error) {
	entries, err := fs.ReadDir(d.root.FS(), ".")
	var names []string
	for _, entry := range entries {
		index, ok := strings.CutPrefix(entry.Name(), fmt.Sprintf("%d-", d.generation))
		if _, bad := strconv.Atoi(index); ok && bad == nil {
			names = append(names, entry.Name())
		}
	}
	slices.Sort(names)
	return names, err
}

// Writer makes a journal of the next generation.
func (d *Dir) Writer() (*Writer, error) {
	w, err := newWriter(d, fmt.Sprintf("%d-%d", d.generation, len(d.writers)))
	if err != nil {
		return nil, err
	}
	d.writers = append(d.writers, w)
	return w, nil
}

// Begin makes the journals that Writer has made count, and removes the last process's.
func (d *Dir) Begin() error {
	f, err := d.create(current + ".new")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, d.generation)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = d.root.Rename(current+".new", current)
	}
	if err != nil {
		return err
	}
	return d.removeOthers()
}

// removeOthers removes what does not count: of the generation before, and half files.
func (d *Dir) removeOthers() error {
	entries, err := fs.ReadDir(d.root.FS(), ".")
	for _, entry := range entries {
		name := entry.Name()
		ours := slices.ContainsFunc(d.writers, func(w *Writer) bool { return w.name == name })
		if name != current && name != lockFile && !ours {
			err = errors.Join(err, d.root.Remove(name))
		}
	}
	return err
}

// Clear leaves nothing for the next process.
func (d *Dir) Clear() error {
	err := d.root.Remove(current)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// create makes an empty file that only we can read.
func (d *Dir) create(name string) (*os.File, error) {
	return d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
}

// Close closes the journals, which stay for the next process.
func (d *Dir) Close() error {
	var errs []error
	for _, w := range d.writers {
		errs = append(errs, w.Close())
	}
	return errors.Join(append(errs, d.lock.Close(), d.root.Close())...)
}
