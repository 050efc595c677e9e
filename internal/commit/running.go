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
}

// keepIn has what runs recorded from now on.
func (c *Configurator) keepIn(w *journal.Writer) {
	if w == nil {
		return
	}
	c.keeping = &keeping{journal: w}
	c.store.Subscribe(func(_, now *config.Snapshot) { c.keep(nil, now) })
	c.keep(c.onFile, c.ran)
}

// keep records what the daemon's file says, unless that is nil, and what runs likewise.
func (c *Configurator) keep(onFile []byte, running *config.Snapshot) {
	k := c.keeping
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if onFile != nil {
		k.onFile = sha256.Sum256(onFile)
	}
	if running != nil {
		k.running = config.Format(running)
	}
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
