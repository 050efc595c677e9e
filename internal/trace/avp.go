package trace

import "culvert/internal/schema"

// logAVPs tells of the AVPs of a message what their flags demand.
func (r *Recorder) logAVPs(s Subject, d Direction, b []byte) {
	_ = schema.TraceAVPInfo
}
