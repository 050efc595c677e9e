package importer

import (
	"fmt"
	"slices"
	"strings"

	"culvert/internal/config"
	"culvert/internal/schema"
)

// A File is one file of a configuration.
type File struct {
	Name string
	Text string
}

// A Note says what became of a statement that could not be carried over as it
// was. It never holds a secret.
type Note struct {
	File string
	Line int // from 1; 0: the file as a whole
	Text string
}

// String gives file:line: text.
func (n Note) String() string {
	if n.Line == 0 {
		return n.File + ": " + n.Text
	}
	return fmt.Sprintf("%s:%d: %s", n.File, n.Line, n.Text)
}

// A Result is a configuration of ours, and what is missing from it.
type Result struct {
	// Text loads as a configuration file. It holds secrets.
	Text string
	// Notes are in the order of the files and their lines.
	Notes []Note
	// Carried counts the statements that were carried over, Left those that were not.
	Carried, Left int
}

// readers reads the files of each daemon into a draft.
var readers = map[string]func(*draft, []File) error{
	"xl2tpd":    readXl2tpd,
	"openl2tp":  readOpenl2tp,
	"l2tpns":    readL2tpns,
	"accel-ppp": readAccel,
}

// Daemons are the names that Import knows, in order.
func Daemons() []string {
	names := make([]string, 0, len(readers))
	for name := range readers {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Import turns the files of the named daemon's configuration into ours. Lookup, if it is
// not nil, is asked for hosts that openl2tp's files name where addresses stand. An
// error means that there is nothing to use: an unknown daemon, a file that is not
// of this daemon, or parts that contradict each other.
func Import(daemon string, files []File, lookup schema.Lookup) (Result, error) {
	read := readers[daemon]
	if read == nil {
		return Result{}, fmt.Errorf("config import %s: expected %s", daemon,
			strings.Join(Daemons(), ", "))
	}
	if len(files) == 0 {
		return Result{}, fmt.Errorf("config import %s: expected files", daemon)
	}
	d := newDraft()
	d.lookup = lookup
	if err := read(d, files); err != nil {
		return Result{}, err
	}
	text, err := d.text(files)
	if err != nil {
		return Result{}, fmt.Errorf("config import %s: the parts do not go together: %w", daemon, err)
	}
	d.sortNotes(files)
	return Result{text, d.notes, d.carried, d.left}, nil
}

// text writes the draft's objects, after making sure that they load.
func (d *draft) text(files []File) (string, error) {
	store := config.NewStore("localhost")
	if err := store.Apply(d.commands()...); err != nil {
		return "", err
	}
	if d.lenient {
		for _, w := range store.Snapshot().Warnings() {
			d.remark(statement{file: files[0].Name}, w)
		}
	}
	return string(config.Format(store.Snapshot())), nil
}
