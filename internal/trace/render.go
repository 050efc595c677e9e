package trace

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"culvert/internal/logging"
	"culvert/internal/schema"
	"culvert/l2tp"
	"culvert/ppp"
)

// A Machine is what has states.
type Machine uint8

// The machines of a tunnel and a session.
const (
	Connection Machine = iota // RFC 2661, 7.2.1
	Call                      // RFC 2661, 7.4 and 7.5
	LCP                       // RFC 1661, 4.1
	IPCP
	IPv6CP
	Phase // RFC 1661, 3.2
)

var machineNames = [...]string{"control connection", "call", "LCP", "IPCP", "IPV6CP", "link"}

// state is the name of a machine's state.
func (m Machine) state(s uint8) string {
	switch m {
	case Connection:
		return l2tp.TunnelState(s).String()
	case Call:
		return l2tp.CallState(s).String()
	case Phase:
		return ppp.Phase(s).String()
	}
	return ppp.State(s).String()
}

// A Record is a record in words.
type Record struct {
	Time      time.Time
	Tunnel    l2tp.TunnelID
	Session   l2tp.SessionID
	Direction string // "rx", "tx", or "" of an event
	Flag      schema.TraceFlags
	Text      string // one line, without secrets
}

// render puts a record into words.
func (r *record) render() Record {
	out := Record{Time: r.time, Tunnel: r.tunnel, Session: r.session, Flag: r.flag()}
	switch r.kind {
	case kindMessage:
		out.Direction = Direction(r.aux & auxDirection).String()
		out.Text = l2tp.Describe(r.data)
		if r.aux&auxAgain != 0 {
			out.Text += ", again"
		}
	case kindFrame:
		out.Direction = Direction(r.aux & auxDirection).String()
		out.Text = ppp.Describe(r.data)
	case kindState:
		m := Machine(r.aux)
		out.Text = fmt.Sprintf("%s %s -> %s: %s", machineNames[m], m.state(r.data[0]),
			m.state(r.data[1]), r.data[2:])
	case kindBegin:
		out.Text = string(r.data[1+len(r.begun()):])
	default:
		out.Text = string(r.data)
	}
	out.Text = logging.OneLine(out.Text) // it may hold an error of any make
	return out
}

// begun is the name of a record of kindBegin.
func (r *record) begun() string { return string(r.data[1 : 1+int(r.data[0])]) }

// tell puts a record into the log, whatever the log's level is.
func (r *Recorder) tell(rec Record) {
	line := slog.NewRecord(rec.Time, slog.LevelDebug, rec.Text, 0)
	line.AddAttrs(slog.String("trace", rec.Flag.String()))
	if rec.Direction != "" {
		line.AddAttrs(slog.String("dir", rec.Direction))
	}
	switch {
	case rec.Session != 0:
		line.AddAttrs(slog.String("session", fmt.Sprintf("%d/%d", rec.Tunnel, rec.Session)))
	case rec.Tunnel != 0:
		line.AddAttrs(slog.Any("tunnel", rec.Tunnel))
	}
	// Not by a Logger, which would ask whether the level is enabled.
	_ = r.log.Handle(context.Background(), line) // a log that fails ends nothing
}
