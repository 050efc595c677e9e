package engine

import (
	"fmt"

	"culvert/api"
	"culvert/internal/config"
)

// declared is what the configuration declares, by what names it.
type declared struct {
	tunnels  map[string]*api.Tunnel
	sessions map[string]*api.Session
}

func newDeclared(snapshot *config.Snapshot) declared {
	d := declared{make(map[string]*api.Tunnel), make(map[string]*api.Session)}
	for _, t := range snapshot.Tunnels() {
		d.tunnels[keyOfTunnel(t)] = t
	}
	for _, s := range snapshot.Sessions() {
		d.sessions[keyOfDeclared(snapshot, s)] = s
	}
	return d
}

// lacks reports whether the configuration has a tunnel no more. It never had one
// that a command created without a name.
func (d *declared) lacks(asked *api.Tunnel) bool {
	return asked.GetTunnelName() != "" && d.tunnels[keyOfTunnel(asked)] == nil
}

// keyOfTunnel names a tunnel of ours: by its name, or else by all that tells it
// from others.
func keyOfTunnel(t *api.Tunnel) string {
	if name := t.GetTunnelName(); name != "" {
		return name
	}
	return fmt.Sprintf("%d %s %d", t.GetTunnelId(), t.GetDestIpaddr(), t.GetConfigId())
}

// keyOfSession names a session of ours likewise, within its tunnel.
func keyOfSession(d *dialer, s *api.Session) string { return sessionKeyIn(d.asked, s) }

// keyOfDeclared is the key of a session that the configuration declares.
func keyOfDeclared(snapshot *config.Snapshot, s *api.Session) string {
	return sessionKeyIn(snapshot.TunnelOf(s), s)
}

func sessionKeyIn(t *api.Tunnel, s *api.Session) string {
	if t == nil {
		t = &api.Tunnel{TunnelName: s.TunnelName, TunnelId: s.TunnelId}
	}
	return fmt.Sprintf("%s / %s %d", keyOfTunnel(t), s.GetSessionName(), s.GetSessionId())
}
