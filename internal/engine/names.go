package engine

import "sync"

// names finds the dialers by the names that operators gave them. It is the one
// table that shards share: it is touched when tunnels are created, not when
// packets arrive.
type names struct {
	mu sync.Mutex
	by map[string]*dialer
}

// add enters d, unless its name is taken. A dialer without a name needs no entry.
func (n *names) add(d *dialer) bool {
	name := d.asked.GetTunnelName()
	if name == "" {
		return true
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.by[name] != nil {
		return false
	}
	if n.by == nil {
		n.by = make(map[string]*dialer)
	}
	n.by[name] = d
	return true
}

// remove takes d out, if it is in.
func (n *names) remove(d *dialer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if name := d.asked.GetTunnelName(); n.by[name] == d {
		delete(n.by, name)
	}
}

// find returns the dialer of a name, or nil.
func (n *names) find(name string) *dialer {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.by[name]
}
