package resolver

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
)

// mark begins a file that a Resolver has written, before the interface's name.
const mark = "# set for "

// keptFile is where the text of before is kept while the file is replaced, for a process that comes
// after one that was killed.
func (r *Resolver) keptFile() string { return r.file() + ".before-culvert" }

// keep keeps what was in the file before the first interface's servers were; nothing if
// there was no file.
func (r *Resolver) keep(before []byte) error { return os.WriteFile(r.keptFile(), before, 0o644) }

// forget removes what was kept, once it has been put back.
func (r *Resolver) forget() error {
	err := os.Remove(r.keptFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// before is what was in the file before this process, or one that was killed, replaced it.
func (r *Resolver) before(now []byte) ([]byte, error) {
	if !bytes.HasPrefix(now, []byte(mark)) {
		return now, nil
	}
	kept, err := os.ReadFile(r.keptFile())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return now, nil // who knows
	case len(kept) == 0:
		return nil, err
	}
	return kept, err
}

// restoreKept undoes what a process that was killed has set for an interface.
func (r *Resolver) restoreKept(iface string) error {
	now, err := os.ReadFile(r.file())
	if err != nil || !bytes.HasPrefix(now, []byte(mark+iface+"\n")) {
		return nil // somebody else has written it meanwhile
	}
	before, err := r.before(now)
	if err != nil {
		return err
	}
	return r.putBack(before)
}

// putBack writes what was in the file before.
func (r *Resolver) putBack(before []byte) error {
	err := r.write(before)
	if err == nil && len(r.saved) == 0 {
		err = r.forget()
	}
	return err
}

// write writes the file, in place: it may be a mount. Without a text there is no file.
func (r *Resolver) write(text []byte) error {
	if text == nil {
		return os.Remove(r.file())
	}
	return os.WriteFile(r.file(), text, 0o644)
}
