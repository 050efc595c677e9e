package trace

import (
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"culvert/internal/schema"
	"culvert/l2tp"
	"culvert/ppp"
)

// DefaultSize is how many bytes a Recorder keeps if nothing else is said: the
// set-up of some 5,000 sessions.
const DefaultSize = 8 << 20

// Options say what a Recorder is made of.
type Options struct {
	Log  *slog.Logger // where what is traced by flags goes; nil: nowhere
	Size int          // bytes in memory, default DefaultSize
}

// A Recorder keeps what happened, and tells those who want to know at once.
// Its methods may be called from any goroutine, and on a nil Recorder, which
// does nothing. They never block.
type Recorder struct {
	log     slog.Handler
	rings   []*ring
	system  atomic.Uint32 // schema.TraceFlags of everything
	forced  atomic.Uint32 // those that are on whatever is configured
	profile atomic.Pointer[map[string]schema.TraceFlags]

	captures atomic.Pointer[[]*Capture] // nil: none
	mu       sync.Mutex                 // of those who change captures
}

// New returns an empty Recorder. Memory is taken as it is needed.
func New(o Options) *Recorder {
	r := &Recorder{log: slog.DiscardHandler}
	if o.Log != nil {
		r.log = o.Log.Handler()
	}
	if o.Size <= 0 {
		o.Size = DefaultSize
	}
	n := runtime.GOMAXPROCS(0)
	for range n {
		r.rings = append(r.rings, newRing(o.Size/n))
	}
	return r
}

// A Subject is whose record it is: a tunnel, a session of it, or, if both are
// zero, the daemon. Flags are those that are on for it.
type Subject struct {
	Tunnel  l2tp.TunnelID
	Session l2tp.SessionID
	Flags   schema.TraceFlags
}

// traces reports whether any of the flags is on.
func (s Subject) traces(f schema.TraceFlags) bool { return s.Flags&f != 0 }

// A Direction is which way a message went.
type Direction uint8

// The directions.
const (
	Received Direction = iota
	Sent
)

// String is the word of the API.
func (d Direction) String() string {
	if d == Sent {
		return "tx"
	}
	return "rx"
}

// Configure sets the flags of everything, and those of PPP profiles that have any.
func (r *Recorder) Configure(system schema.TraceFlags, profiles map[string]schema.TraceFlags) {
	if r == nil {
		return
	}
	r.system.Store(uint32(system))
	if len(profiles) == 0 {
		r.profile.Store(nil)
		return
	}
	r.profile.Store(&profiles)
}

// System returns the flags of everything, configured and forced.
func (r *Recorder) System() schema.TraceFlags {
	if r == nil {
		return 0
	}
	return schema.TraceFlags(r.system.Load() | r.forced.Load())
}

// Force switches flags on for everything, whatever is configured.
func (r *Recorder) Force(flags schema.TraceFlags) { r.forced.Store(uint32(flags)) }

// Profile returns the flags of a PPP profile.
func (r *Recorder) Profile(name string) schema.TraceFlags {
	if r == nil {
		return 0
	}
	m := r.profile.Load()
	if m == nil {
		return 0
	}
	return (*m)[name]
}

// Begin notes that a tunnel or session begins. By its name, if it has one, it
// is found again.
func (r *Recorder) Begin(s Subject, name, text string) {
	if r == nil {
		return
	}
	b := make([]byte, 0, 1+len(name)+len(text))
	b = append(b, byte(min(len(name), 255)))
	b = append(b, name[:min(len(name), 255)]...)
	r.keep(s, record{kind: kindBegin, data: append(b, text...)})
}

// Message notes a control message, header included. One that is sent again
// because it was not acknowledged is noted even where it would be mere chatter.
func (r *Recorder) Message(s Subject, d Direction, b []byte, again bool) {
	if r == nil {
		return
	}
	idle := l2tp.IsIdle(b)
	if idle && !again && !s.traces(schema.TraceProtocol) {
		return
	}
	rec := record{kind: kindMessage, aux: uint8(d), data: l2tp.Redact(b)}
	if again {
		rec.aux |= auxAgain
	}
	r.keep(s, rec)
	if !idle && s.traces(schema.TraceAVPInfo|schema.TraceAVPData|schema.TraceAVPHide) {
		r.logAVPs(s, d, rec.data)
	}
}

// Frame notes a frame of a PPP control protocol. What a link that carries
// traffic repeats for ever (LCP echoes, new challenges) is chatter.
func (r *Recorder) Frame(s Subject, d Direction, b []byte, up bool) {
	if r == nil || !ppp.IsControl(b) {
		return
	}
	if ppp.IsIdle(b, up) && !s.traces(schema.TracePPPControl) {
		return
	}
	r.keep(s, record{kind: kindFrame, aux: uint8(d), data: ppp.Redact(b)})
}

// State notes that a machine went from one state to another, and what moved it.
func (r *Recorder) State(s Subject, m Machine, from, to uint8, cause string) {
	if r == nil {
		return
	}
	r.keep(s, record{kind: kindState, aux: uint8(m), data: append([]byte{from, to}, cause...)})
}

// Event notes something in words, under the flag that it belongs to.
func (r *Recorder) Event(s Subject, flag schema.TraceFlags, text string) {
	if r == nil {
		return
	}
	r.keep(s, record{kind: kindEvent, aux: flagIndex(flag), data: []byte(text)})
}

// Tell is Event for what is said only where its flag is on: it is not worth keeping
// otherwise.
func (r *Recorder) Tell(s Subject, flag schema.TraceFlags, text ...string) {
	if r == nil || !s.traces(flag) {
		return
	}
	r.Event(s, flag, strings.Join(text, ""))
}

// keep puts a record into memory, and into the log if its flag is on.
func (r *Recorder) keep(s Subject, rec record) {
	rec.time, rec.tunnel, rec.session = time.Now(), s.Tunnel, s.Session
	r.rings[int(s.Tunnel)%len(r.rings)].add(rec)
	if s.traces(rec.flag()) {
		r.tell(rec.render())
	}
}
