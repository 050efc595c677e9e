package engine

import (
	"fmt"

	"culvert/internal/config"
	"culvert/internal/schema"
)

// oneInterface is the kind of data plane whose sessions have no interface of their own.
const oneInterface = "tun"

const unnamed = "interface_name has no effect with --dataplane tun: all sessions share one interface"

// inert says what of the configuration the data plane cannot do. However many objects set
// it, it is said once.
func (e *Engine) inert(snapshot *config.Snapshot) []string {
	if e.path.Kind() != oneInterface {
		return nil
	}
	first, more := "", 0
	for _, k := range schema.Kinds() {
		p := k.Param("interface_name")
		if p == nil {
			continue
		}
		for _, m := range snapshot.Objects(k) {
			switch {
			case !p.Has(m):
			case first == "":
				first = schema.Label(m)
			default:
				more++
			}
		}
	}
	switch {
	case first == "":
		return nil
	case more > 0:
		return []string{fmt.Sprintf("%s and %d others: %s", first, more, unnamed)}
	}
	return []string{first + ": " + unnamed}
}

// warnUnnamed says in the log, once, that a session does not get the interface that it is
// to have.
func (s *session) warnUnnamed() {
	e, name := s.engine(), s.settings.Parameters.InterfaceName
	builtIn := schema.KindNamed("session profile").Param("interface_name").Default
	if e.path.Kind() == oneInterface && name != builtIn && e.unnamed.CompareAndSwap(false, true) {
		s.log().Warn(unnamed, "interface_name", name)
	}
}
