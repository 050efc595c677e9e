package event

import (
	"context"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"culvert/api"
	"culvert/internal/journal"
)

// DefaultCapacity is how many events the daemon keeps.
const DefaultCapacity = 16384

// batch is how many events Read returns at most: the lock is held while they
// are copied.
const batch = 256

// A Log is a ring of the last events. It may be used by many goroutines. A nil
// Log keeps nothing.
type Log struct {
	mu    sync.Mutex
	ring  [][]byte      // the event of sequence n is at (n-1) % len, encoded: a third of the room
	first uint64        // no event before this sequence is in memory, even if there is room
	last  uint64        // sequence of the newest event, 0 before the first
	lost  uint64        // events that readers have missed
	wake  chan struct{} // closed by the next event; nil if nobody waits

	journal *journal.Writer // nil: nothing is kept for the next process
}

// NewLog makes a log that keeps capacity events.
func NewLog(capacity int) *Log {
	if capacity < 1 {
		panic("event: capacity of a log below 1")
	}
	return &Log{ring: make([][]byte, capacity), first: 1}
}

// Publish adds an event and sets its Sequence and Time. It never waits for a reader.
func (l *Log) Publish(e *api.Event) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	e.Sequence = l.last
	e.Time = timestamppb.New(time.Now())
	l.ring[l.place(l.last)] = encode(e)
	l.keep(l.last)
	if l.wake != nil {
		close(l.wake)
		l.wake = nil
	}
}

// place is where in the ring the event of a sequence is, or would be.
func (l *Log) place(sequence uint64) uint64 { return (sequence - 1) % uint64(len(l.ring)) }

// at returns the event of a sequence that is in memory. The caller holds mu.
func (l *Log) at(sequence uint64) *api.Event { return decode(l.ring[l.place(sequence)]) }

// decode undoes encode.
func decode(b []byte) *api.Event {
	e := &api.Event{}
	if err := proto.Unmarshal(b, e); err != nil {
		panic("event: what encode made cannot be read: " + err.Error())
	}
	return e
}

// encode encodes an event. What is not UTF-8 in its texts cannot be, and is replaced.
func encode(e *api.Event) []byte {
	b, err := proto.Marshal(e)
	if err != nil {
		b, err = proto.Marshal(readable(e))
	}
	if err != nil {
		panic("event: " + err.Error())
	}
	return b
}

// readable returns a copy of an event whose texts are UTF-8.
func readable(e *api.Event) *api.Event {
	e = proto.CloneOf(e)
	m := e.ProtoReflect()
	m.Range(func(field protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if field.Kind() == protoreflect.StringKind {
			m.Set(field, protoreflect.ValueOfString(strings.ToValidUTF8(v.String(), "\uFFFD")))
		}
		return true
	})
	return e
}

// Range returns the sequences of the oldest and the newest event in memory.
// Before the first event they are 1 and 0.
func (l *Log) Range() (oldest, newest uint64) {
	if l == nil {
		return 1, 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.oldest(), l.last
}

// Lost returns how many events readers have missed, each counted for itself.
func (l *Log) Lost() uint64 {
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost
}

// oldest is the sequence of the oldest event in memory. The caller holds mu.
func (l *Log) oldest() uint64 {
	if n := uint64(len(l.ring)); l.last > n {
		return max(l.first, l.last-n+1)
	}
	return l.first
}

// Read returns events that follow the one of the sequence after, in order, and
// waits until there is one. It may return fewer than there are. The events are the caller's.
//
// If events between are no longer in memory the first one returned is of type
// EVENT_TYPE_LOST. It says how many, and its sequence is that of the last of them.
//
// The error is ctx's. A nil Log waits for that.
func (l *Log) Read(ctx context.Context, after uint64) ([]*api.Event, error) {
	if l == nil {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	for {
		encoded, wake := l.read(after)
		if len(encoded) > 0 {
			return decodeAll(encoded), nil
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// decodeAll decodes what read returned. The lock is not held: nobody waits to publish.
func decodeAll(encoded [][]byte) []*api.Event {
	events := make([]*api.Event, len(encoded))
	for i, b := range encoded {
		events[i] = decode(b)
	}
	return events
}

// read returns what there is now, or a channel that is closed when there is more.
func (l *Log) read(after uint64) (encoded [][]byte, wake <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if after >= l.last {
		if l.wake == nil {
			l.wake = make(chan struct{})
		}
		return nil, l.wake
	}
	if oldest := l.oldest(); after+1 < oldest {
		encoded = append(encoded, encode(&api.Event{
			Sequence: oldest - 1,
			Time:     timestamppb.New(time.Now()),
			Type:     api.EventType_EVENT_TYPE_LOST,
			Lost:     oldest - 1 - after,
		}))
		l.lost += oldest - 1 - after
		after = oldest - 1
	}
	for n := after + 1; n <= l.last && len(encoded) < batch; n++ {
		encoded = append(encoded, l.ring[l.place(n)])
	}
	return encoded, nil
}
