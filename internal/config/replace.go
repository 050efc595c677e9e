package config

import (
	"culvert/api"
	"culvert/internal/schema"
)

// Fresh returns the configuration that commands make of the built-in one. Nothing
// changes by that.
func (s *Store) Fresh(cmds ...schema.Command) (*Snapshot, error) {
	return newStore(s.Snapshot().host).next(cmds)
}

// With returns the configuration that commands make of s, which stays as it is.
func (s *Snapshot) With(cmds ...schema.Command) (*Snapshot, error) {
	at := &Store{}
	at.current.Store(s)
	return at.next(cmds)
}

// Replace makes next the configuration, if it still is old, and reports whether it
// was. Next came from Fresh, With or Snapshot.
func (s *Store) Replace(old, next *Snapshot) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Snapshot() != old {
		return false
	}
	if next != old {
		s.publish(old, next)
	}
	return true
}

// TunnelOf returns the tunnel that is to exist of a session that is, or nil.
func (s *Snapshot) TunnelOf(m *api.Session) *api.Tunnel { return s.tunnelOf(m) }
