package commit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"culvert/internal/management"
)

// keep is how many revisions are kept.
const keep = 20

// A revision is a configuration that once ran.
type revision struct {
	number  uint32
	time    time.Time
	author  string
	comment string
	text    []byte
}

// A history has the last revisions, in memory and as files in a folder. It may be
// used by many goroutines.
type history struct {
	dir  string   // empty: in memory only
	lock *os.File // held while this daemon has the folder

	mu   sync.Mutex
	list []revision // the oldest first
}

// openHistory reads the revisions in dir. What keeps it from being written there,
// or is no revision, is returned as warnings.
func openHistory(dir string) (*history, []string) {
	h := &history{dir: dir}
	if dir == "" {
		return h, nil
	}
	if err := h.claim(); err != nil {
		return h, []string{inMemory(dir, err)}
	}
	// A daemon that was killed while it wrote has left half a file.
	halves, _ := filepath.Glob(filepath.Join(dir, halfFile))
	for _, name := range halves {
		os.Remove(name)
	}
	names, err := filepath.Glob(filepath.Join(dir, "revision-*.conf"))
	if err != nil {
		return h, []string{inMemory(dir, err)}
	}
	var warnings []string
	for _, name := range names {
		r, err := readRevision(name)
		if err != nil {
			warnings = append(warnings, fmt.Sprintf("reading the history: %v", err))
			continue
		}
		h.list = append(h.list, r)
	}
	slices.SortFunc(h.list, func(a, b revision) int { return int(a.number) - int(b.number) })
	return h, append(warnings, h.prune()...)
}

// claim makes the folder this daemon's. One that another daemon has is not written.
func (h *history) claim() (err error) {
	if err := os.MkdirAll(h.dir, 0o700); err != nil {
		return err
	}
	name := filepath.Join(h.dir, ".lock")
	if h.lock, err = os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return err
	}
	err = syscall.Flock(int(h.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		h.dir = ""
		return errors.New("another daemon uses it")
	}
	return err
}

// close gives the folder up.
func (h *history) close() {
	if h.lock != nil {
		h.lock.Close()
	}
}

func inMemory(dir string, err error) string {
	return fmt.Sprintf("the history of the configuration is in memory only: %s: %v", dir, cause(err))
}

// cause takes the path out of an error, which names it twice otherwise.
func cause(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

// add makes a revision of a text and returns its number. A warning says that it is in
// memory only.
func (h *history) add(now time.Time, author, comment string, text []byte) (uint32, []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := revision{number: 1, time: now, author: author, comment: comment, text: text}
	if n := len(h.list); n > 0 {
		r.number = h.list[n-1].number + 1
	}
	h.list = append(h.list, r)
	if h.dir == "" {
		h.list = h.list[max(0, len(h.list)-keep):]
		return r.number, nil
	}
	if err := writeFile(h.path(r.number), r.file()); err != nil {
		h.list = h.list[max(0, len(h.list)-keep):]
		return r.number, []string{inMemory(h.dir, err)}
	}
	return r.number, h.prune()
}

// prune forgets all but the last revisions.
func (h *history) prune() (warnings []string) {
	for len(h.list) > keep {
		err := os.Remove(h.path(h.list[0].number))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			warnings = append(warnings, fmt.Sprintf("forgetting an old revision: %v", err))
		}
		h.list = h.list[1:]
	}
	return warnings
}

func (h *history) path(number uint32) string {
	return filepath.Join(h.dir, fmt.Sprintf("revision-%06d.conf", number))
}

// get finds a revision.
func (h *history) get(number uint32) (revision, error) {
	all := h.all()
	i := slices.IndexFunc(all, func(r revision) bool { return r.number == number })
	if i >= 0 {
		return all[i], nil
	}
	if len(all) == 0 {
		return revision{}, management.Errorf(management.ErrNotFound,
			"revision %d: there is none yet", number)
	}
	return revision{}, management.Errorf(management.ErrNotFound,
		"revision %d: there are %d to %d", number, all[0].number, all[len(all)-1].number)
}

// has reports whether a text is that of a revision.
func (h *history) has(text []byte) bool {
	return slices.ContainsFunc(h.all(), func(r revision) bool { return bytes.Equal(r.text, text) })
}

// all returns the revisions, the oldest first.
func (h *history) all() []revision {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.list)
}

// last returns the newest revision, or a zero one.
func (h *history) last() revision {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.list) == 0 {
		return revision{}
	}
	return h.list[len(h.list)-1]
}

// file is the content of a revision's file: a configuration that begins with what
// is known of it.
func (r *revision) file() []byte {
	head := fmt.Sprintf("# revision %d\n# time %s\n# author %s\n# comment %s\n\n", r.number,
		r.time.UTC().Format(time.RFC3339Nano), strconv.Quote(r.author), strconv.Quote(r.comment))
	return append([]byte(head), r.text...)
}

// readRevision reads a revision's file.
func readRevision(path string) (r revision, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return r, err
	}
	head, text, ok := bytes.Cut(b, []byte("\n\n"))
	if !ok {
		return r, fmt.Errorf("%s: expected a heading", path)
	}
	r.text = text
	lines := bufio.NewScanner(bytes.NewReader(head))
	for lines.Scan() && err == nil {
		name, value, _ := strings.Cut(strings.TrimPrefix(lines.Text(), "# "), " ")
		err = r.set(name, value)
	}
	if err == nil && r.number == 0 {
		err = errors.New("expected a number")
	}
	if err != nil {
		return r, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// set reads one line of the heading.
func (r *revision) set(name, value string) (err error) {
	switch name {
	case "revision":
		var n uint64
		n, err = strconv.ParseUint(value, 10, 32)
		r.number = uint32(n)
	case "time":
		r.time, err = time.Parse(time.RFC3339Nano, value)
	case "author":
		r.author, err = strconv.Unquote(value)
	case "comment":
		r.comment, err = strconv.Unquote(value)
	}
	return err
}
