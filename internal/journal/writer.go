package journal

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// A Writer appends to one file. It belongs to one goroutine.
//
// What cannot be written is not kept, and neither is what follows. The file then does
// not count any more, the directory tells of it ([Dir.Notify]), and the owner is asked
// to write all of it anew, again and again.
type Writer struct {
	dir   *Dir
	what  string
	name  string
	retry func()

	file   *os.File // nil before the first one could be made
	into   *os.File // where pieces go: file, or the one that is to replace it
	buffer []byte
	begun  bool  // a piece of what is not flushed yet has been written
	err    error // why a piece was not

	size    int64          // of the file
	written int64          // of into
	live    int64          // of that, what no later record has replaced
	sizes   map[Key]uint32 // of the records that live is of
	lost    error          // why the file is not whole
	tried   time.Time

	timer *time.Timer // until the next attempt; the directory's mu guards it
}

const (
	// roomy is how large a file gets whatever is in it.
	roomy = 1 << 20
	// piece is how much is written at once: there may be more to be written than
	// is good to have in memory twice.
	piece = 128 << 10
	// Retry is how long after the file could not be written that is tried again.
	Retry = 10 * time.Second
)

// Put records a value of at most MaxValue bytes. It is kept once it is flushed.
func (w *Writer) Put(k Key, value []byte) {
	if len(value) > MaxValue {
		panic("journal: a value of more than MaxValue bytes")
	}
	w.add(opPut, k, value)
}

// Delete records that there is no value any more.
func (w *Writer) Delete(k Key) { w.add(opDelete, k, nil) }

func (w *Writer) add(op byte, k Key, value []byte) {
	if w.into == nil {
		return // there is nothing whole that this could follow
	}
	before := len(w.buffer)
	w.buffer = appendRecord(w.buffer, op, k, value)
	w.live -= int64(w.sizes[k])
	if op == opPut {
		size := len(w.buffer) - before
		w.sizes[k] = uint32(size)
		w.live += int64(size)
	} else {
		delete(w.sizes, k)
	}
	if len(w.buffer) >= piece {
		w.writePiece()
	}
}

// writePiece writes what is in the buffer. It does not count before its flush has an end.
func (w *Writer) writePiece() {
	if w.err == nil {
		var n int
		n, w.err = w.into.Write(w.buffer)
		w.written += int64(n)
		w.begun = true
	}
	if cap(w.buffer) > 2*piece {
		w.buffer = nil // let go what one large value has made of it
	}
	w.buffer = w.buffer[:0]
}

// end ends a flush, of which everything counts from now on, or nothing.
func (w *Writer) end() error {
	w.buffer = appendRecord(w.buffer, opEnd, Key{}, nil)
	w.writePiece()
	err := w.err
	w.begun, w.err = false, nil
	return err
}

// Flush writes what was recorded since the last one. Where it is time to write the file
// anew, it has all put everything that there is.
func (w *Writer) Flush(all func()) error {
	switch {
	case w.dir.closed.Load():
		return os.ErrClosed
	case w.lost != nil:
		return w.again(all)
	case len(w.buffer) == 0 && !w.begun:
		return nil
	}
	if err := w.end(); err != nil {
		w.into = nil // what follows half a record could not be read
		return w.Rewrite(all)
	}
	if w.size = w.written; w.crowded() && w.isTime() {
		w.Rewrite(all) // or later: this file is whole
	}
	return nil
}

// again writes a file anew that is not whole, unless that was tried just now.
func (w *Writer) again(all func()) error {
	if w.isTime() {
		return w.Rewrite(all)
	}
	return w.lost
}

func (w *Writer) isTime() bool { return w.tried.IsZero() || time.Since(w.tried) >= Retry }

// crowded reports whether so much of the file has been replaced by later records that it is
// time to write it anew. A file that grows since there is more to be recorded is not.
func (w *Writer) crowded() bool { return w.size > max(roomy, 3*w.live) }

// Pack writes the file anew sooner than Flush would, for an owner who has the time now.
func (w *Writer) Pack(all func()) error {
	if w.lost != nil || w.size <= max(roomy, w.live+w.live/4) {
		return nil
	}
	return w.Rewrite(all)
}

// Rewrite makes a new file of what all puts, and puts it in the place of the old one. If
// that cannot be, an old one that is whole goes on.
func (w *Writer) Rewrite(all func()) error {
	if w.dir.closed.Load() {
		return os.ErrClosed
	}
	whole, live, sizes := w.into != nil, w.live, w.sizes
	next, err := w.dir.create(w.name + newSuffix)
	if err == nil {
		err = w.fill(next, all)
	}
	if err == nil {
		err = w.dir.root.Rename(w.name+newSuffix, w.name)
	}
	if err != nil {
		w.live, w.sizes = live, sizes
		return w.failed(fmt.Errorf("writing state: %w", err), next, whole)
	}
	if w.file != nil {
		w.file.Close()
	}
	w.file, w.size = next, w.written
	w.tried, w.lost = time.Time{}, nil
	w.dir.isWhole(w)
	return nil
}

// fill writes all that there is into a file, which is the one from then on.
func (w *Writer) fill(next *os.File, all func()) error {
	w.into, w.written = next, 0
	w.live, w.sizes = 0, make(map[Key]uint32)
	w.buffer = fmt.Appendf(w.buffer[:0], header, Format)
	w.begun, w.err = false, nil
	all()
	return w.end()
}

// failed undoes a Rewrite. A file that is not whole is set aside: the next process is not
// to take it for true.
func (w *Writer) failed(err error, next *os.File, whole bool) error {
	if next != nil {
		err = errors.Join(err, next.Close(), w.dir.root.Remove(w.name+newSuffix))
	}
	w.buffer, w.begun, w.err = w.buffer[:0], false, nil
	w.tried = time.Now()
	if w.into = nil; whole {
		w.into, w.written = w.file, w.size
		return err
	}
	w.lost = err
	w.dir.isLost(w)
	return err
}

// close closes the file, which stays.
func (w *Writer) close() error {
	if w.timer != nil {
		w.timer.Stop()
	}
	if w.file == nil {
		return nil
	}
	return w.file.Close()
}
