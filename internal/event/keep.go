package event

import (
	"bytes"

	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/internal/journal"
)

// kind is that of the records of events.
const kind = 'e'

// key is that of an event's record: the place in the ring, so that an event takes the
// place of one that is no longer in memory.
func (l *Log) key(sequence uint64) journal.Key {
	place := l.place(sequence)
	return journal.Key{Kind: kind, Tunnel: uint16(place >> 16), Session: uint16(place)}
}

// Restore takes over the events that the last process had, so that sequences go on
// and who watched then can read on. Events that cannot be read are as if lost. It is called
// before anything is published.
func (l *Log) Restore(records journal.Records) {
	l.mu.Lock()
	defer l.mu.Unlock()
	events := make(map[uint64][]byte)
	for k, value := range records {
		e := &api.Event{}
		if k.Kind == kind && proto.Unmarshal(value, e) == nil && e.Sequence > 0 {
			events[e.Sequence] = bytes.Clone(value)
			l.last = max(l.last, e.Sequence)
		}
	}
	l.first = l.last + 1
	for sequence, value := range events {
		if l.last-sequence < uint64(len(l.ring)) {
			l.ring[l.place(sequence)] = value
		}
	}
	// What is in memory is what follows the last gap.
	for l.first > 1 && l.last-l.first+1 < uint64(len(l.ring)) && events[l.first-1] != nil {
		l.first--
	}
}

// JournalKind is the word for events in a directory of journals.
const JournalKind = "events"

// KeepIn has events kept in a directory from now on, those that are there too. What is wrong
// with that the directory tells.
func (l *Log) KeepIn(dir *journal.Dir) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.journal = dir.Writer(JournalKind, l.retry)
	_ = l.journal.Rewrite(l.putAll)
}

// keep keeps one event. mu is held.
func (l *Log) keep(sequence uint64) {
	if l.journal == nil {
		return
	}
	l.put(sequence)
	_ = l.journal.Flush(l.putAll)
}

// retry keeps all events after some could not be.
func (l *Log) retry() {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.journal.Flush(l.putAll)
}

// putAll records what is in memory. mu is held.
func (l *Log) putAll() {
	for n := l.oldest(); n <= l.last; n++ {
		l.put(n)
	}
}

func (l *Log) put(sequence uint64) { l.journal.Put(l.key(sequence), l.ring[l.place(sequence)]) }
