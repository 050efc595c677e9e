package journal

import (
	"errors"
	"fmt"
	"os"
)

// A Writer appends to one file. It belongs to one goroutine.
type Writer struct {
	dir    *Dir
	name   string
	file   *os.File
	buffer []byte

	size   int64 // of the file
	packed int64 // of the file when it was last written anew
	err    error // why what was to be written since is not in the file
}

// roomy is how large a file gets whatever is in it.
const roomy = 1 << 20

// newWriter makes an empty file.
func newWriter(d *Dir, name string) (*Writer, error) {
	w := &Writer{dir: d, name: name}
	if err := w.Rewrite(func() {}); err != nil {
		return nil, err
	}
	return w, nil
}

// Put records a value of at most MaxValue bytes. It is kept once it is flushed.
func (w *Writer) Put(k Key, value []byte) {
	if len(value) > MaxValue {
		panic("journal: a value of more than MaxValue bytes")
	}
	w.buffer = appendRecord(w.buffer, opPut, k, value)
}

// Delete records that there is no value any more.
func (w *Writer) Delete(k Key) { w.buffer = appendRecord(w.buffer, opDelete, k, nil) }

// Flush writes what was recorded since the last one. After an error nothing is
// kept until Rewrite has succeeded.
func (w *Writer) Flush() error {
	if len(w.buffer) == 0 || w.err != nil {
		w.buffer = w.buffer[:0]
		return w.err
	}
	w.buffer = appendRecord(w.buffer, opEnd, Key{}, nil)
	n, err := w.file.Write(w.buffer)
	w.size += int64(n)
	w.reuse()
	if err != nil {
		// What follows half a record could not be read.
		w.err = fmt.Errorf("writing state: %w", err)
	}
	return w.err
}

// reuse empties the buffer, and lets go what a burst has made of it.
func (w *Writer) reuse() {
	const large = 256 << 10
	if cap(w.buffer) > large {
		w.buffer = nil
	}
	w.buffer = w.buffer[:0]
}

// Crowded reports whether most of the file has been replaced by later records, so that
// it is time to write it anew.
func (w *Writer) Crowded() bool { return w.size > roomy && w.size > 2*w.packed }

// Rewrite makes a new file of what record puts, and puts it in the place of the old one.
func (w *Writer) Rewrite(record func()) error {
	next, err := w.dir.create(w.name + ".new")
	if err != nil {
		return err
	}
	w.buffer = fmt.Appendf(w.buffer[:0], header, Format)
	record()
	w.buffer = appendRecord(w.buffer, opEnd, Key{}, nil)
	n, err := next.Write(w.buffer)
	w.reuse()
	if err == nil {
		err = w.dir.root.Rename(w.name+".new", w.name)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing state anew: %w", err), next.Close())
	}
	if w.file != nil {
		err = w.file.Close()
	}
	w.file, w.size, w.packed, w.err = next, int64(n), int64(n), nil
	return err
}

// Close closes the file, which stays.
func (w *Writer) Close() error { return w.file.Close() }
