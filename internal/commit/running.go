package commit

import (
	"crypto/sha256"
	"slices"
	"sync"

	"culvert/api"
	"culvert/internal/config"
	"culvert/internal/journal"
)

// runningKey is the key of the record of what runs.
var runningKey = journal.Key{Kind: 'c'}

// Resume returns the configuration that the last process ran, commands that nobody had
// written to the file included. It returns nil if there is none in the records, or if
// the file has been changed since: onFile is what that says now, and whoever edits it
// and starts the daemon wants it so. Faults are those of a configuration that this
// version does not take.
func Resume(store *config.Store, records journal.Records, onFile *config.Snapshot) (
	*config.Snapshot, []*api.Fault) {
	value, ok := records[runningKey]
	if !ok || len(value) < sha256.Size {
		return nil, nil
	}
	if known := sha256.Sum256(config.Format(onFile)); !slices.Equal(known[:], value[:sha256.Size]) {
		return nil, nil
	}
	return Read(store, "running configuration", value[sha256.Size:])
}

// A keeping records what runs for the next process. A nil one records nothing.
type keeping struct {
	mu      sync.Mutex
	journal *journal.Writer
	onFile  [sha256.Size]byte
	running []byte
	waits   bool // what runs is to be confirmed: what ran before is recorded
}

// keepIn has what runs recorded from now on.
func (c *Configurator) keepIn(w *journal.Writer) {
	if w == nil {
		return
	}
	c.keeping = &keeping{journal: w}
	c.store.Subscribe(func(_, now *config.Snapshot) {
		c.keep(func(k *keeping) {
			if !k.waits {
				k.running = config.Format(now)
			}
		})
	})
	c.keep(func(k *keeping) {
		k.running = config.Format(c.ran)
		k.reads(c.onFile)
	})
}

// reads notes what the daemon's file says.
func (k *keeping) reads(text []byte) { k.onFile = sha256.Sum256(text) }

// runs notes what the next process is to run, and whether that is settled.
func (k *keeping) runs(s *config.Snapshot, waits bool) {
	k.running, k.waits = config.Format(s), waits
}

// settle records what runs, unless it is to be confirmed.
func (c *Configurator) settle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wait == nil {
		c.keep(func(k *keeping) { k.runs(c.store.Snapshot(), false) })
	}
}

// CarryOver records again what the last process has recorded, until a Configurator does.
func CarryOver(w *journal.Writer, records journal.Records) error {
	if value, ok := records[runningKey]; ok {
		w.Put(runningKey, value)
	}
	return w.Flush()
}

// keep changes what is recorded, and records it.
func (c *Configurator) keep(change func(*keeping)) {
	k := c.keeping
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	change(k)
	put := func() { k.journal.Put(runningKey, slices.Concat(k.onFile[:], k.running)) }
	put()
	err := k.journal.Flush()
	if err != nil || k.journal.Crowded() {
		err = k.journal.Rewrite(put)
	}
	if err != nil {
		c.log.Error("what runs would not outlive the daemon", "err", err)
	}
}
