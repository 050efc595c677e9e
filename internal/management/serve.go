package management

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"culvert/api"
	"culvert/internal/config"
)

// lookAgain is how often the files of certificates are looked at, and what could
// not be opened is tried again.
const lookAgain = 10 * time.Second

// Serve answers requests on l, and where the configuration says over TLS and for
// metrics, until ctx is done. It waits a little for requests under way.
func Serve(ctx context.Context, l net.Listener, s *Server) error {
	socket := open(newDoorkeeper(l, s), s.handler(), nil, s.log())
	v := &vents{s: s}
	changed := make(chan struct{}, 1)
	s.Store.Subscribe(func(_, _ *config.Snapshot) {
		select {
		case changed <- struct{}{}:
		default:
		}
	})
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	for {
		v.adapt(ctx, s.Store.Snapshot())
		select {
		case err := <-socket.done:
			v.close()
			return fmt.Errorf("serving the management API: %w", err)
		case <-ctx.Done():
			var closing sync.WaitGroup
			closing.Go(v.close)
			err := socket.stop()
			closing.Wait()
			return err
		case <-changed:
		case <-again.C:
		}
	}
}

// vents are the listeners that the configuration opens and closes, besides the
// socket. One goroutine owns them.
type vents struct {
	s       *Server
	keys    *keyring
	tls     vent
	metrics vent
}

// A vent is one such listener.
type vent struct {
	at     netip.AddrPort // where it is open; invalid: nowhere
	outlet *outlet
	tried  netip.AddrPort // where it was closed for, in vain
}

// adapt brings the listeners to what is configured. What cannot be is said in the log
// and in the status of the system.
func (v *vents) adapt(ctx context.Context, snapshot *config.Snapshot) {
	sys := snapshot.System()
	v.checkGroup(snapshot, sys.APIGroup)
	v.adaptTLS(ctx, sys.API)
	v.s.warn("metrics_listen", v.metrics.move(ctx, v.s, sys.MetricsListen,
		func(l net.Listener) *outlet { return open(l, v.s.metricsAlone(), nil, v.s.log()) }))
}

// checkGroup warns if there is no such group. Where it is not asked for, but by default,
// a line in the log will do.
func (v *vents) checkGroup(snapshot *config.Snapshot, group string) {
	text := ""
	if groupID(group) < 0 {
		text = fmt.Sprintf("api_group: there is no group %s: only root and the daemon's own user "+
			"can change anything by the socket", group)
	}
	m, _ := snapshot.Object(&api.System{})
	if system, ok := m.(*api.System); ok && system.ApiGroup == nil {
		v.s.note("api_group", text)
		return
	}
	v.s.warn("api_group", text)
}

// adaptTLS opens, moves or closes the TLS listener. A wrong certificate does not
// close one that is open.
func (v *vents) adaptTLS(ctx context.Context, c config.APIListener) {
	if !c.Listen.IsValid() {
		v.tls.close(v.s)
		v.s.warn("api_listen", "")
		v.s.warn("api_certificate", "")
		v.keys = nil // the files are read when it is switched on again
		return
	}
	if v.keys == nil {
		v.keys = new(keyring)
	}
	if read, err := v.keys.refresh(c); err != nil {
		v.s.warn("api_certificate", "serving the API over TLS: "+err.Error())
	} else if read {
		v.s.warn("api_certificate", "")
	}
	if !v.keys.usable() {
		return
	}
	keys := v.keys
	v.s.warn("api_listen", v.tls.move(ctx, v.s, c.Listen, func(l net.Listener) *outlet {
		return open(l, v.s.remoteHandler(keys), keys.config(), v.s.log())
	}))
}

// move has the vent open at an address, by start, or closed if the address is
// invalid. It returns what is wrong: if the new address cannot be had, the old one is
// kept.
func (at *vent) move(
	ctx context.Context, s *Server, to netip.AddrPort, start func(net.Listener) *outlet,
) string {
	if at.at == to {
		return ""
	}
	if !to.IsValid() {
		at.close(s)
		return ""
	}
	l, err := listenTCP(ctx, to)
	if err != nil && at.at.Port() == to.Port() && at.tried != to {
		// It may be ourselves who are in the way, but once is enough to see.
		from := at.at
		at.close(s)
		at.tried = to
		if l, err = listenTCP(ctx, to); err != nil {
			if l, back := listenTCP(ctx, from); back == nil {
				at.begin(s, from, start(l))
			}
		}
	}
	if err != nil {
		return err.Error()
	}
	at.close(s)
	at.begin(s, to, start(l))
	return ""
}

func (at *vent) begin(s *Server, addr netip.AddrPort, o *outlet) {
	at.at, at.outlet = addr, o
	s.log().Info("listening", "address", addr, "tls", o.secure)
}

// close closes the vent, if it is open.
func (at *vent) close(s *Server) {
	if !at.at.IsValid() {
		return
	}
	if err := at.outlet.stop(); err != nil {
		s.log().Warn("closing a listener", "address", at.at, "err", err)
	}
	s.log().Info("no longer listening", "address", at.at)
	*at = vent{}
}

func (v *vents) close() {
	var closing sync.WaitGroup
	closing.Go(func() { v.tls.close(v.s) })
	closing.Go(func() { v.metrics.close(v.s) })
	closing.Wait()
}

// warnings are what of the configuration has no effect here, by its parameter.
type warnings struct {
	mu    sync.Mutex
	by    map[string]string
	notes map[string]string // those of the log alone
}

// warn notes what is wrong with a parameter, or that nothing is any more. What
// is new is logged.
func (s *Server) warn(param, text string) {
	s.warnings.mu.Lock()
	defer s.warnings.mu.Unlock()
	s.change(&s.warnings.by, param, text)
}

// note is like warn for what is said in the log alone.
func (s *Server) note(param, text string) {
	s.warnings.mu.Lock()
	defer s.warnings.mu.Unlock()
	s.change(&s.warnings.notes, param, text)
}

func (s *Server) change(by *map[string]string, param, text string) {
	if (*by)[param] == text {
		return
	}
	if *by == nil {
		*by = make(map[string]string)
	}
	(*by)[param] = text
	if text != "" {
		s.log().Warn("configuration without effect", "parameter", param, "cause", text)
	}
}

// allWarnings returns them in the order of their parameters.
func (s *Server) allWarnings() []string {
	s.warnings.mu.Lock()
	defer s.warnings.mu.Unlock()
	var all []string
	for _, param := range slices.Sorted(maps.Keys(s.warnings.by)) {
		if text := s.warnings.by[param]; text != "" {
			all = append(all, text)
		}
	}
	return all
}
