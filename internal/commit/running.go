package commit

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"sync"
	"time"

	"culvert/api"
	"culvert/internal/config"
	"culvert/internal/journal"
)

// JournalKind is the word for what runs in a directory of journals.
const JournalKind = "the configuration"

// runningKey is the key of the record of what runs. It is two sums, of the file and of what
// it says, and the text of the running configuration.
var runningKey = journal.Key{Kind: 'c'}

// A File is the daemon's file as it was when it was read: its text, and what that says.
type File struct {
	Text []byte
	Says *config.Snapshot
}

// sums are how a file is known again. Either of them is enough: one does not depend on how a
// version writes what it has read, the other not on comments and order.
type sums struct{ text, says [sha256.Size]byte }

func (f File) sums() sums {
	return sums{sha256.Sum256(f.Text), sha256.Sum256(config.Format(f.Says))}
}

// Resume returns the configuration that the last process ran, commands that nobody had
// written to the file included. It returns nil if there is none in the records, or if
// the file has been changed since: whoever edits it and starts the daemon wants what
// it says now. Faults are those of a configuration that this version does not take.
func Resume(store *config.Store, records journal.Records, file File) (
	*config.Snapshot, []*api.Fault) {
	value, ok := records[runningKey]
	if !ok || len(value) < 2*sha256.Size {
		return nil, nil
	}
	now := file.sums()
	text, says := value[:sha256.Size], value[sha256.Size:2*sha256.Size]
	if !bytes.Equal(text, now.text[:]) && !bytes.Equal(says, now.says[:]) {
		return nil, nil
	}
	return Read(store, "running configuration", value[2*sha256.Size:])
}

// A Keeping records what runs for the next process. It does so soon after it has
// changed, on a goroutine of its own: commands come by thousands, and each time the whole
// is written. A nil one records nothing.
type Keeping struct {
	wake chan struct{} // has a value when something is to be recorded

	mu    sync.Mutex // guards what follows; it is held for moments only
	now   recorded
	waits bool // what runs is to be confirmed: what ran before is recorded

	writing sync.Mutex // guards what follows
	journal *journal.Writer
	last    recorded
	value   []byte // the record
}

type recorded struct {
	file    sums
	running *config.Snapshot
}

// Keep returns what records what runs in a directory, for [Options]. Until it is used it
// keeps what the last process has recorded.
func Keep(dir *journal.Dir, records journal.Records) *Keeping {
	k := &Keeping{wake: make(chan struct{}, 1), value: records[runningKey]}
	k.writing.Lock()
	defer k.writing.Unlock()
	k.journal = dir.Writer(JournalKind, k.again)
	_ = k.journal.Rewrite(k.put)
	return k
}

// put records what was recorded last, for a journal that is written anew. k.writing is held.
func (k *Keeping) put() {
	if k.value != nil {
		k.journal.Put(runningKey, k.value)
	}
}

// again writes after that has failed.
func (k *Keeping) again() {
	k.writing.Lock()
	defer k.writing.Unlock()
	_ = k.journal.Flush(k.put)
}

// flush records what is to be recorded, if that is not done.
func (k *Keeping) flush() {
	if k == nil {
		return
	}
	k.writing.Lock()
	defer k.writing.Unlock()
	k.mu.Lock()
	now := k.now
	k.mu.Unlock()
	if now == k.last {
		return
	}
	k.last = now
	k.value = slices.Concat(now.file.text[:], now.file.says[:], config.Format(now.running))
	k.put()
	_ = k.journal.Flush(k.put)
}

// After a record the next one waits, so that many commands make one. It waits for as much
// longer than the last one took to be written as rest says: records get a tenth of one processor.
const (
	rest     = 9
	shortest = 10 * time.Millisecond
	longest  = time.Second
)

// run records changes until stop is closed.
func (k *Keeping) run(stop <-chan struct{}) {
	for {
		select {
		case <-k.wake:
		case <-stop:
			return
		}
		began := time.Now()
		k.flush()
		select {
		case <-time.After(min(max(rest*time.Since(began), shortest), longest)):
		case <-stop:
			return
		}
	}
}

// reads notes what the daemon's file says.
func (k *Keeping) reads(f File) { k.now.file = f.sums() }

// runs notes what the next process is to run, and whether that is settled.
func (k *Keeping) runs(s *config.Snapshot, waits bool) { k.now.running, k.waits = s, waits }

// keep changes what is to be recorded, which it is soon.
func (c *Configurator) keep(change func(*Keeping)) {
	k := c.keeping
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	change(k)
	select {
	case k.wake <- struct{}{}:
	default: // it will be seen
	}
}

// keepRunning has what runs recorded from now on, until the Configurator is closed.
func (c *Configurator) keepRunning(file File) {
	if c.keeping == nil {
		return
	}
	c.keep(func(k *Keeping) {
		k.runs(c.ran, false)
		k.reads(file)
	})
	c.store.Subscribe(func(_, now *config.Snapshot) {
		c.keep(func(k *Keeping) {
			if !k.waits {
				k.now.running = now
			}
		})
	})
	c.Flush()
	c.recording.Go(func() { c.keeping.run(c.closing) })
}

// Flush records what runs, for a process that comes at once.
func (c *Configurator) Flush() { c.keeping.flush() }

// settle records what runs, unless it is to be confirmed.
func (c *Configurator) settle() {
	defer c.Flush()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wait == nil {
		c.keep(func(k *Keeping) { k.runs(c.store.Snapshot(), false) })
	}
}
