package engine

import (
	"sync"

	"culvert/internal/management"
)

// names finds the dialers by the names that operators gave them. It is the one
// table that shards share: it is touched when tunnels are created, not when
// packets arrive.
type names struct {
	mu sync.Mutex
	by map[string]*dialer
	// configs has for each place where tunnels lead their config_ids.
	configs map[string]*configIDs
}

// configIDs are the config_ids of the tunnels that lead to one place.
type configIDs struct {
	taken map[uint16]bool
	low   uint16 // none below it is free
}

// add enters d, or says why that cannot be: its name is taken, or its config_id is.
// A dialer without a name needs no entry; one without a config_id gets the lowest free.
func (n *names) add(d *dialer) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	name := d.asked.GetTunnelName()
	if n.by[name] != nil {
		return management.Errorf(management.ErrExists, "tunnel %s: exists already", name)
	}
	if !n.addConfig(d) {
		return management.Errorf(management.ErrExists,
			"config_id %d: in use by another tunnel to %s", d.resolved.ConfigID, d.resolved.Dest)
	}
	n.enter(name, d)
	return nil
}

// addName enters d by its name alone: its tunnel leads nowhere of our choice.
func (n *names) addName(d *dialer) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	name := d.asked.GetTunnelName()
	if name != "" && n.by[name] != nil {
		return management.Errorf(management.ErrExists, "tunnel %s: exists already", name)
	}
	n.enter(name, d)
	return nil
}

// enter notes d's name, if it has one. mu is held.
func (n *names) enter(name string, d *dialer) {
	if name == "" {
		return
	}
	if n.by == nil {
		n.by = make(map[string]*dialer)
	}
	n.by[name] = d
}

// addConfig gives d its config_id, unless another one has it. mu is held.
func (n *names) addConfig(d *dialer) bool {
	if n.configs == nil {
		n.configs = make(map[string]*configIDs)
	}
	dest := d.resolved.Dest.String()
	ids := n.configs[dest]
	if ids == nil {
		ids = &configIDs{taken: make(map[uint16]bool), low: 1}
		n.configs[dest] = ids
	}
	id := d.resolved.ConfigID
	if id == 0 {
		id = ids.lowest()
	}
	if ids.taken[id] {
		return false
	}
	ids.taken[id] = true
	d.configID, d.leadsTo = id, dest
	return true
}

// lowest returns the lowest that is free. There are more than tunnels can be.
func (c *configIDs) lowest() uint16 {
	for c.taken[c.low] {
		c.low++
	}
	return c.low
}

// rename gives d another name, unless it is taken.
func (n *names) rename(d *dialer, name string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	old := d.asked.GetTunnelName()
	switch {
	case name == old:
		return true
	case n.by[name] != nil:
		return false
	}
	if n.by[old] == d {
		delete(n.by, old)
	}
	n.enter(name, d)
	return true
}

// remove takes d out, if it is in.
func (n *names) remove(d *dialer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if name := d.asked.GetTunnelName(); n.by[name] == d {
		delete(n.by, name)
	}
	if ids := n.configs[d.leadsTo]; ids != nil && d.configID != 0 {
		delete(ids.taken, d.configID)
		if ids.low = min(ids.low, d.configID); len(ids.taken) == 0 {
			delete(n.configs, d.leadsTo)
		}
		d.configID = 0
	}
}

// find returns the dialer of a name, or nil.
func (n *names) find(name string) *dialer {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.by[name]
}
