package keeper

import (
	"fmt"
	"sync"
	"syscall"
)

// kept is what a keeper holds: descriptors by key. There can be 100,000 keys with 150,000
// descriptors, so that an entry is small.
type kept struct {
	closer closer

	mu    sync.Mutex // guards what follows
	byKey map[string][]int32
	ended bool
}

func newKept() *kept {
	return &kept{closer: closer{closeFD: syscall.Close}, byKey: make(map[string][]int32)}
}

// keep holds descriptors under a key, and closes what it had there.
func (k *kept) keep(key string, fds []int) {
	now := make([]int32, len(fds))
	for i, fd := range fds {
		now[i] = int32(fd)
	}
	k.mu.Lock()
	before := k.byKey[key]
	if k.ended {
		before = now
	} else {
		k.byKey[key] = now
	}
	k.mu.Unlock()
	k.closer.close(before, func() {})
}

// drop closes what there is under keys, and then calls done.
func (k *kept) drop(keys []string, done func()) {
	var fds []int32
	k.mu.Lock()
	for _, key := range keys {
		fds = append(fds, k.byKey[key]...)
		delete(k.byKey, key)
	}
	k.mu.Unlock()
	k.closer.close(fds, done)
}

// list sends everything that is kept.
func (k *kept) list(s *socket) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	m, size := message{op: opKept}, 1
	var fds []int
	flush := func() error {
		if len(m.keys) == 0 {
			return nil
		}
		err := s.send(m, fds...)
		m, size, fds = message{op: opKept}, 1, nil
		return err
	}
	for key, held := range k.byKey {
		if len(fds)+len(held) > maxFDs || size+2+len(key) > maxMessage {
			if err := flush(); err != nil {
				return err
			}
		}
		m.keys, m.counts = append(m.keys, key), append(m.counts, uint8(len(held)))
		size += 2 + len(key)
		for _, fd := range held {
			fds = append(fds, int(fd))
		}
	}
	if err := flush(); err != nil {
		return err
	}
	return s.send(message{op: opEnd})
}

// count returns how many keys and descriptors there are.
func (k *kept) count() (keys, fds int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, held := range k.byKey {
		fds += len(held)
	}
	return len(k.byKey), fds
}

// end closes everything, many at a time: what nobody else holds ends.
func (k *kept) end() {
	k.mu.Lock()
	k.ended = true
	var fds []int32
	for _, held := range k.byKey {
		fds = append(fds, held...)
	}
	clear(k.byKey)
	k.mu.Unlock()
	k.closer.close(fds, func() {})
	k.closer.wait()
}

// String says how much there is.
func (k *kept) String() string {
	keys, fds := k.count()
	return fmt.Sprintf("%d descriptors of %d keys", fds, keys)
}
