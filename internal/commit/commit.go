package commit

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"culvert/api"
	"culvert/internal/config"
	"culvert/internal/management"
)

var _ management.Configurator = (*Configurator)(nil)

// Options say what a Configurator works on.
type Options struct {
	Store   *config.Store
	Backend management.Backend
	File    string // the daemon's own, from which the store was loaded if it is there
	State   string // the folder of the history; empty: it is kept in memory only
	Log     *slog.Logger

	// Read is File as the store was loaded from it; zero if there is none. What the
	// store has may have been changed since: see [Resume].
	Read File
	// Keeping records what runs; nil records nothing.
	Keeping *Keeping
}

// A Configurator makes whole configurations the running one. Its methods may be
// called from any goroutine; configurations are loaded one after the other.
type Configurator struct {
	store   *config.Store
	backend management.Backend
	file    string
	log     *slog.Logger
	history *history
	keeping *Keeping // nil: what runs is not recorded

	recording sync.WaitGroup
	closing   chan struct{} // closed by Close
	close     sync.Once

	changing sync.Mutex // held while a configuration is loaded or written

	mu     sync.Mutex
	ran    *config.Snapshot // what the newest revision says
	wait   *waiting         // a revision that is to be confirmed, or nil
	onFile []byte           // what the daemon's file said when it was last read or written
	// The last answer of isChanged, and of which configuration.
	asked   *config.Snapshot
	changed bool
}

// New returns a Configurator of what the store has, which becomes a revision if it is
// not the newest one already.
func New(opts Options) *Configurator {
	c := &Configurator{
		store:   opts.Store,
		backend: opts.Backend,
		file:    opts.File,
		log:     opts.Log,
		keeping: opts.Keeping,
		closing: make(chan struct{}),
		ran:     opts.Store.Snapshot(),
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	var warnings []string
	c.history, warnings = openHistory(opts.State)
	ran := config.Format(c.ran)
	file := opts.Read
	if file.Says == nil {
		file.Says = c.ran
	}
	c.onFile = config.Format(file.Says)
	c.keepRunning(file)
	if last := c.history.last(); last.number == 0 || string(last.text) != string(ran) {
		_, more := c.history.add(time.Now(), "start", "", ran)
		warnings = append(warnings, more...)
	}
	c.warn(append(c.ran.Warnings(), warnings...))
	return c
}

// Close gives up waiting: a revision that was not confirmed goes on. Nothing more is
// written into the folder of the history.
func (c *Configurator) Close() {
	c.close.Do(func() { close(c.closing) })
	c.recording.Wait()
	c.Flush()
	defer c.history.close()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wait != nil {
		c.wait.timer.Stop()
		c.wait = nil
	}
}

// Check says what Load would do.
func (c *Configurator) Check(ctx context.Context, r *api.CheckConfigRequest) (
	*api.CheckConfigResponse, error) {
	d, err := c.find(r.GetSource())
	if err != nil {
		return nil, err
	}
	old := c.store.Snapshot()
	next, faults := c.resolve(d, old, false)
	if len(faults) > 0 {
		return &api.CheckConfigResponse{Faults: faults}, nil
	}
	p := newPlan(old, next)
	if management.IdentityOf(ctx).Role == management.Reader && d.running == nil {
		p = p.withoutSecrets()
	}
	if err := p.countDropped(ctx, c.backend); err != nil {
		return nil, err
	}
	return &api.CheckConfigResponse{Changes: messages(p.changes), Warnings: p.warnings()}, nil
}

// Load makes a configuration the running one, all of it or, if there is a fault,
// nothing.
func (c *Configurator) Load(ctx context.Context, author string, r *api.LoadConfigRequest) (
	*api.LoadConfigResponse, error) {
	c.changing.Lock()
	defer c.changing.Unlock()
	res, err := c.load(ctx, author, r)
	c.report(author, res, err)
	return res, err
}

func (c *Configurator) load(ctx context.Context, author string, r *api.LoadConfigRequest) (
	*api.LoadConfigResponse, error) {
	d, err := c.find(r.GetSource())
	if err != nil {
		return nil, err
	}
	if err := c.mayLoad(d, r.GetMerge()); err != nil {
		return nil, err
	}
	// What is to be confirmed is not for the next process before it is.
	c.keep(func(k *Keeping) { k.waits = k.waits || r.GetConfirmWithin() > 0 })
	defer c.settle()
	p, faults, err := c.replace(ctx, d, r.GetMerge())
	if err != nil || len(faults) > 0 {
		return &api.LoadConfigResponse{Faults: faults}, err
	}
	before, warnings := c.recordCommands(p.old)
	res := &api.LoadConfigResponse{Changes: messages(p.changes)}
	// Who asked may go; what has begun is finished.
	res.Failures = carry(context.WithoutCancel(ctx), c.backend, p)
	number, more := c.record(p, author, r.GetComment())
	res.Revision = number
	c.read(d, p.new, r.GetMerge())
	res.Warnings = append(append(warnings, p.warnings()...), more...)
	res.Warnings = append(res.Warnings, c.await(p, before, r.GetConfirmWithin())...)
	return res, nil
}

// replace has the store hold what a document says, and returns what is to be done
// about it. With a fault nothing changes.
func (c *Configurator) replace(ctx context.Context, d document, merge bool) (
	*plan, []*api.Fault, error) {
	var next *config.Snapshot
	var faults []*api.Fault
	for {
		old := c.store.Snapshot()
		if next == nil || merge {
			if next, faults = c.resolve(d, old, merge); len(faults) > 0 {
				return nil, faults, nil
			}
		}
		p := newPlan(old, next)
		if err := p.countDropped(ctx, c.backend); err != nil {
			return nil, nil, err
		}
		// A command may have changed something meanwhile.
		if c.store.Replace(old, next) {
			return p, nil, nil
		}
	}
}

// read notes what the daemon's file says if that is what was loaded.
func (c *Configurator) read(d document, s *config.Snapshot, merge bool) {
	if !d.file || merge {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onFile = config.Format(s)
	c.keep(func(k *Keeping) { k.reads(File{d.text, s}) })
}

// record makes what runs after a plan a revision, if that is another configuration, and
// returns the newest one's number.
func (c *Configurator) record(p *plan, author, comment string) (uint32, []string) {
	number := c.history.last().number
	var warnings []string
	if len(p.changes) > 0 {
		number, warnings = c.history.add(time.Now(), author, comment, config.Format(p.new))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ran, c.asked = p.new, nil
	return number, warnings
}

// recordCommands makes what ran a revision if commands have changed it since the
// newest one, so that nothing that ran is lost. It returns the number of what ran.
func (c *Configurator) recordCommands(ran *config.Snapshot) (uint32, []string) {
	if !c.isChanged(ran) {
		return c.history.last().number, nil
	}
	return c.history.add(time.Now(), "commands", "", config.Format(ran))
}

// isChanged reports whether commands have changed the configuration since the newest
// revision.
func (c *Configurator) isChanged(now *config.Snapshot) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asked != now {
		c.asked, c.changed = now, len(diff(c.ran, now)) > 0
	}
	return c.changed
}

// Revisions lists what ran.
func (c *Configurator) Revisions(context.Context) (*api.ListRevisionsResponse, error) {
	changed := c.isChanged(c.store.Snapshot())
	c.mu.Lock()
	wait := c.wait
	c.mu.Unlock()
	res := &api.ListRevisionsResponse{}
	all := c.history.all()
	for i := len(all) - 1; i >= 0; i-- {
		m := all[i].message()
		m.Running = i == len(all)-1 && !changed
		if wait != nil && wait.revision == m.Number {
			m.RevertsAt = timestamppb.New(wait.at)
		}
		res.Revisions = append(res.Revisions, m)
	}
	return res, nil
}

// Revision returns the text of one; 0 is what runs.
func (c *Configurator) Revision(_ context.Context, r *api.GetRevisionRequest) (
	*api.GetRevisionResponse, error) {
	if r.GetNumber() == 0 {
		format := config.Format
		if r.GetMaskSecrets() {
			format = config.FormatMasked
		}
		runs := revision{time: time.Now()}
		return &api.GetRevisionResponse{Revision: runs.message(),
			Text: string(format(c.store.Snapshot()))}, nil
	}
	found, err := c.history.get(r.GetNumber())
	if err != nil {
		return nil, err
	}
	if r.GetMaskSecrets() {
		s, faults := Read(c.store, fmt.Sprintf("revision %d", found.number), found.text)
		if len(faults) > 0 {
			return nil, fmt.Errorf("hiding secrets: %s", FaultText(faults[0]))
		}
		found.text = config.FormatMasked(s)
	}
	return &api.GetRevisionResponse{Revision: found.message(), Text: string(found.text)}, nil
}

func (r *revision) message() *api.Revision {
	return &api.Revision{Number: r.number, Time: timestamppb.New(r.time), Author: r.author,
		Comment: r.comment}
}
