package shell

import (
	"slices"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/internal/schema"
)

// A debugTarget is an argument that says whose trace flags are meant.
type debugTarget struct {
	arg  string
	kind string // words of the object
	key  string // the parameter that names it
}

var debugTargets = []debugTarget{
	{"tunnel_id", "tunnel", "tunnel_id"},
	{"tunnel_name", "tunnel", "tunnel_name"},
	{"session_id", "session", "session_id"},
	{"session_name", "session", "session_name"},
	{"tunnel_profile_name", "tunnel profile", "profile_name"},
	{"session_profile_name", "session profile", "profile_name"},
	{"ppp_profile_name", "ppp profile", "profile_name"},
}

// debugVerbs change and show trace flags, as openl2tp's debug does.
func debugVerbs() []*verb {
	var targets []arg
	for _, t := range debugTargets {
		p := schema.KindNamed(t.kind).Param(t.key)
		targets = append(targets, arg{name: t.arg, expected: p.Expected(),
			help: "Of this " + t.kind, values: namesOf(t.kind, t.key)})
	}
	targets = append(targets, arg{name: "app", flag: true, help: "Of the whole daemon (if nothing else is named)"})
	switches := slices.Clone(targets)
	for _, w := range append([]string{"all"}, schema.TraceFlagWords...) {
		switches = append(switches, arg{name: w, expected: "yes or no", help: traceHelp[w],
			values: words("yes", "no")})
	}
	return []*verb{
		{words: "debug modify", help: "Switch traces on and off: protocol=yes fsm=no",
			args: switches, run: (*Shell).debugModify},
		{words: "debug show", help: "What is traced", args: targets, run: (*Shell).debugShow},
	}
}

var traceHelp = map[string]string{
	"all":         "Everything",
	"protocol":    "Control messages",
	"fsm":         "States, and what moves them",
	"api":         "Requests of management",
	"avp_info":    "The AVPs of control messages",
	"avp_hide":    "Hiding and unhiding of AVPs",
	"avp_data":    "The values of AVPs",
	"func":        "What the engine does inside",
	"transport":   "Reliable delivery: windows, retransmission",
	"data":        "Data sessions: the data plane's objects",
	"system":      "The daemon itself: configuration, timers, limits",
	"ppp_control": "Packets of LCP, authentication and the network protocols",
}

// debugObject is whose trace flags a command means: the daemon's if it names
// nothing.
func debugObject(c *call) (proto.Message, error) {
	var kind *schema.Kind
	m := proto.Message(&api.System{})
	for _, t := range debugTargets {
		value, ok := c.given[t.arg]
		if !ok {
			continue
		}
		k := schema.KindNamed(t.kind)
		if kind == nil {
			kind, m = k, k.New()
		}
		// A session is named together with its tunnel.
		if k != kind && k.Words == "session" && kind.Words == "tunnel" {
			session := &api.Session{TunnelId: m.(*api.Tunnel).TunnelId,
				TunnelName: m.(*api.Tunnel).TunnelName}
			kind, m = k, session
		}
		if k != kind || c.has("app") {
			return nil, usagef("%s: expected one object, not several", c.verb.words)
		}
		if err := k.Param(t.key).Set(m, value); err != nil {
			return nil, usagef("%v", err)
		}
	}
	if session, ok := m.(*api.Session); ok && session.TunnelId == nil && session.TunnelName == nil {
		return nil, usagef("%s: a session is named together with its tunnel: "+
			"tunnel_name or tunnel_id is missing", c.verb.words)
	}
	return m, nil
}

func (s *Shell) debugModify(c *call) error {
	m, err := debugObject(c)
	if err != nil {
		return err
	}
	req := &api.SetTraceRequest{Object: schema.Wrap(m)}
	for i, w := range append(slices.Clone(schema.TraceFlagWords), "all") {
		text, ok := c.given[w]
		if !ok {
			continue
		}
		bits := uint32(1) << i
		if w == "all" {
			bits = uint32(schema.TraceAll)
		}
		on, err := yes(w, text)
		if err != nil {
			return err
		}
		req.Mask |= bits
		if on {
			req.Flags |= bits
		}
	}
	if req.GetMask() == 0 {
		return usagef("debug modify: expected a switch such as protocol=yes")
	}
	return s.setTrace(c, req)
}

// yes reads what openl2tp's shell takes for yes and no.
func yes(name, text string) (bool, error) {
	switch strings.ToLower(text) {
	case "yes", "on", "true", "enable", "1":
		return true, nil
	case "no", "off", "false", "disable", "0":
		return false, nil
	}
	return false, usagef("%s=%s: expected yes or no", name, text)
}

// debugShow asks to change nothing.
func (s *Shell) debugShow(c *call) error {
	m, err := debugObject(c)
	if err != nil {
		return err
	}
	return s.setTrace(c, &api.SetTraceRequest{Object: schema.Wrap(m)})
}

func (s *Shell) setTrace(c *call, req *api.SetTraceRequest) error {
	client, err := s.daemon()
	if err != nil {
		return err
	}
	r, err := client.SetTrace(c.ctx, connect.NewRequest(req))
	if err != nil {
		return explain(s.Server, err)
	}
	if s.format != "table" {
		return s.writeMessage(r.Msg)
	}
	return s.say("%s: trace_flags %s", schema.Label(schema.Unwrap(req.GetObject())),
		schema.TraceFlags(r.Msg.GetFlags()))
}
