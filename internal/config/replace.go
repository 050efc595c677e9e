package config

import (
	"errors"

	"culvert/api"
	"culvert/internal/schema"
)

// Fresh returns the configuration that commands make of the built-in one. Nothing
// changes by that.
func (s *Store) Fresh(cmds ...schema.Command) (*Snapshot, error) {
	return NewStore(s.Snapshot().hostName).next(cmds)
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

// Faults says what an error of Parse, Fresh or With found wrong in a file.
func Faults(file string, err error) []*api.Fault {
	if err == nil {
		return nil
	}
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		if _, one := err.(*kindError); !one {
			var faults []*api.Fault
			for _, err := range all.Unwrap() {
				faults = append(faults, Faults(file, err)...)
			}
			return faults
		}
	}
	f := &api.Fault{File: file, Message: err.Error()}
	if se, ok := errors.AsType[*schema.SyntaxError](err); ok {
		f.Line = uint32(se.Line)
	}
	if ce, ok := errors.AsType[*commandError](err); ok {
		f.Line = uint32(ce.line)
	}
	return []*api.Fault{f}
}
