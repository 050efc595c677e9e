package trace

import (
	"fmt"
	"time"

	"culvert/internal/logging"
	"culvert/internal/schema"
	"culvert/l2tp"
)

// logAVPs tells of the AVPs of a message what their flags demand, a line each.
// Only the log gets them: memory has the message.
func (r *Recorder) logAVPs(s Subject, d Direction, b []byte) {
	now := time.Now()
	for a := range l2tp.DescribeAVPs(b) {
		for _, line := range []struct {
			flag schema.TraceFlags
			text string
		}{
			{schema.TraceAVPInfo, a.Form},
			{schema.TraceAVPData, a.Value},
			{schema.TraceAVPHide, hiding(a, d)},
		} {
			if !s.traces(line.flag) || line.text == "" {
				continue
			}
			r.tell(Record{
				Time: now, Tunnel: s.Tunnel, Session: s.Session,
				Direction: d.String(), Flag: line.flag,
				Text: logging.OneLine(fmt.Sprintf("%s AVP %s: %s", a.Message, a.Name, line.text)),
			})
		}
	}
}

// hiding says who hid an AVP, never what.
func hiding(a l2tp.AVPText, d Direction) string {
	switch {
	case !a.Hidden:
		return ""
	case d == Sent:
		return "hidden here with the tunnel's secret"
	}
	return "hidden by the peer"
}
