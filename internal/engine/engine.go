package engine

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"culvert/internal/config"
	"culvert/internal/dataplane"
	"culvert/internal/event"
	"culvert/internal/journal"
	"culvert/internal/pool"
	"culvert/internal/trace"
	"culvert/l2tp"
)

// Options say what an engine is made of. A zero field means its default.
type Options struct {
	Store *config.Store
	Pools *pool.Pools
	// Open opens the data plane; packets come to the handler from then on.
	Open func(dataplane.Handler) (dataplane.Dataplane, error)
	// Note says why this data plane, if it is a fallback.
	Note   string
	Listen []netip.AddrPort
	Log    *slog.Logger

	// Trace keeps what happens; nil keeps nothing.
	Trace *trace.Recorder

	// Resolver takes the name servers that peers give us; nil ignores them.
	Resolver Resolver

	// Events is told what becomes of tunnels and sessions; nil tells nobody.
	Events *event.Log

	// Journal keeps what is up for the process that comes after this one; nil keeps
	// nothing. Kept is what the one before has left there. What that has left without being
	// able to write it to its end is ended.
	Journal *journal.Dir
	Kept    journal.Records
	// Boot is a clock that nobody sets, the same for all processes: how long ago the machine was
	// booted. nil: the time of day.
	Boot func() time.Duration
	// Survival says whether sessions outlive the engine, for status; nil: they do not.
	Survival func() string

	Version string
	Shards  int // loops, default GOMAXPROCS
	Workers int // kernel jobs at once, default 512
	Credit  int // sessions in set-up at once, default 8192; more are refused
}

// A Resolver makes the host ask the name servers that an interface leads to.
type Resolver interface {
	Set(ctx context.Context, iface string, servers []netip.Addr) error
	Unset(ctx context.Context, iface string) error
}

// An Engine runs tunnels and sessions. Its methods may be called from any
// goroutine.
type Engine struct {
	log        *slog.Logger
	store      *config.Store
	pools      *pool.Pools
	resolver   Resolver
	events     *event.Log
	trace      *trace.Recorder
	path       dataplane.Dataplane
	note       string
	boot       func() time.Duration
	survival   func() string
	version    string
	started    time.Time
	listeners  []dataplane.Listener
	shards     []*shard
	workers    *workers
	names      names
	ties       ties
	count      counts
	total      totals
	reset      reset
	credit     int64
	seed       maphash.Seed
	registry   *registry
	gate       *gate
	overload   overload
	lines      lines // about peers
	faultLines lines
	decoy      config.Secret // a password that nobody has
	// lookUp finds the addresses of a name: of ip, ip4 or ip6.
	lookUp func(ctx context.Context, network, name string) ([]netip.Addr, error)

	ready      chan struct{} // closed when packets may be handled
	stopping   atomic.Bool
	unnamed    atomic.Bool // it was said that interface_name has no effect
	jobContext context.Context
	cancelJobs context.CancelFunc
	loops      sync.WaitGroup
}

// counts are the engine's totals: those that go up and down, and those that
// only go up.
type counts struct {
	tunnels, tunnelsEstablished   atomic.Int64
	halfOpen                      atomic.Int64 // begun by peers, not established
	sessions, sessionsEstablished atomic.Int64
	sessionsUp                    atomic.Int64 // that carry a network
	// settingUp is how many sessions are between their request and their first network.
	settingUp atomic.Int64
	askedFor  atomic.Int64 // how many of those a peer asked for

	tunnelsCreated, sessionsCreated atomic.Uint64
	tunnelsRefused, sessionsRefused atomic.Uint64
}

// New opens the data plane, listens, starts the shards and creates the
// tunnels and sessions that the configuration declares. What it has opened is
// closed again if it returns an error.
func New(opts Options) (*Engine, error) {
	e := newEngine(opts)
	e.follow(e.store)
	if err := e.open(opts); err != nil {
		e.cancelJobs()
		return nil, err
	}
	heir := e.inherit(opts)
	e.keepIn(opts.Journal)
	for _, s := range e.shards {
		e.loops.Go(s.loop)
	}
	close(e.ready)
	e.createDeclared(heir.taken)
	return e, nil
}

// newEngine makes an engine that does nothing yet.
func newEngine(opts Options) *Engine {
	e := &Engine{
		log:      cmp.Or(opts.Log, slog.New(slog.DiscardHandler)),
		store:    opts.Store,
		pools:    cmp.Or(opts.Pools, pool.New()),
		resolver: opts.Resolver,
		events:   opts.Events,
		trace:    opts.Trace,
		note:     opts.Note,
		boot:     opts.Boot,
		survival: opts.Survival,
		version:  opts.Version,
		started:  time.Now(),
		workers:  &workers{limit: cmp.Or(opts.Workers, 512)},
		credit:   int64(cmp.Or(opts.Credit, 8192)),
		seed:     maphash.MakeSeed(),
		decoy:    config.Secret(rand.Text()),
		lookUp:   net.DefaultResolver.LookupNetIP,
		ready:    make(chan struct{}),
		registry: newRegistry(),
		gate:     newGate(),
	}
	if e.boot == nil {
		e.boot = func() time.Duration { return time.Duration(time.Now().UnixNano()) }
	}
	if e.survival == nil {
		e.survival = func() string { return "no: sessions end with the daemon" }
	}
	e.overload.engine = e
	e.pools.LogTo(e.log)
	e.jobContext, e.cancelJobs = context.WithCancel(context.Background())
	for i := range cmp.Or(opts.Shards, runtime.GOMAXPROCS(0)) {
		e.shards = append(e.shards, newShard(e, i))
	}
	return e
}

// follow has what is set for the whole daemon hold now and after each change.
func (e *Engine) follow(store *config.Store) {
	set := func(_, now *config.Snapshot) {
		e.traceAs(now)
		e.gate.configure(now.System())
	}
	set(nil, store.Snapshot())
	store.Subscribe(set)
}

// open opens the data plane and the listening sockets.
func (e *Engine) open(opts Options) error {
	var err error
	if e.path, err = opts.Open(e); err != nil {
		return err
	}
	for _, addr := range opts.Listen {
		l, err := e.path.Listen(addr)
		if err != nil {
			close(e.ready) // a packet that came already is not to hold up its poller
			// What the last process has left is still the next one's.
			return errors.Join(fmt.Errorf("listening on UDP %v: %w", addr, err), e.path.Abandon())
		}
		e.listeners = append(e.listeners, l)
	}
	return nil
}

func (e *Engine) closeListeners() {
	for _, l := range e.listeners {
		if err := l.Close(); err != nil {
			e.log.Warn("closing listener", "address", l.Addr(), "err", err)
		}
	}
}

// Listening returns the addresses on which peers are heard.
func (e *Engine) Listening() []netip.AddrPort {
	addrs := make([]netip.AddrPort, len(e.listeners))
	for i, l := range e.listeners {
		addrs[i] = l.Addr()
	}
	return addrs
}

// Alive returns nil once every shard has taken a turn, or an error if
// one has not when ctx is done.
func (e *Engine) Alive(ctx context.Context) error {
	turned := make(chan struct{}, len(e.shards))
	for _, s := range e.shards {
		s.mail.post(func() { turned <- struct{}{} })
	}
	for i := range e.shards {
		select {
		case <-turned:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %d shards: only %d turn", len(e.shards), i)
		}
	}
	return nil
}

// Summary says in a few words what the engine holds.
func (e *Engine) Summary() string {
	return fmt.Sprintf("%d of %d tunnels established, %d of %d sessions up",
		e.count.tunnelsEstablished.Load(), e.count.tunnels.Load(),
		e.count.sessionsUp.Load(), e.count.sessions.Load())
}

// Shutdown ends all sessions and tunnels politely until ctx is done, and then
// at once. Nothing of ours is left in the kernel when it returns.
func (e *Engine) Shutdown(ctx context.Context) error {
	e.stopping.Store(true)
	gone := make(chan struct{}, len(e.shards))
	for _, s := range e.shards {
		s.mail.post(func() { s.closeAll(gone) })
	}
	for range e.shards {
		select {
		case <-gone:
		case <-ctx.Done():
		}
	}
	for _, s := range e.shards {
		s.mail.post(func() { s.stopped = true })
	}
	e.loops.Wait()
	e.cancelJobs()
	e.workers.wait()
	e.closeListeners()
	return e.path.Close()
}

// shardOf returns the shard that owns a tunnel: its identifier says which, so
// that no table is shared.
func (e *Engine) shardOf(id l2tp.TunnelID) *shard {
	return e.shards[int(id)%len(e.shards)]
}

// shardFor returns the shard where tunnels with a peer begin. All that begin
// with one address meet there: retransmitted SCCRQs and ties are seen.
func (e *Engine) shardFor(peer netip.Addr) *shard {
	return e.shards[maphash.Comparable(e.seed, peer.Unmap())%uint64(len(e.shards))]
}
