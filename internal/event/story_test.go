package event

import (
	"strings"
	"testing"

	"culvert/api"
)

// told is the types of a log's events after a sequence, with whom they are about.
func told(t *testing.T, l *Log, after uint64) []string {
	t.Helper()
	var all []string
	for _, e := range mustRead(t, l, after) {
		name := strings.ToLower(strings.TrimPrefix(e.Type.String(), "EVENT_TYPE_"))
		all = append(all, name)
	}
	return all
}

// Every story that a dead process has left unfinished is told to its end.
func TestUnfinishedStories(t *testing.T) {
	l := NewLog(100)
	tell := func(session uint32, types ...api.EventType) {
		for _, what := range types {
			l.Publish(&api.Event{Type: what, TunnelId: 7, SessionId: session})
		}
	}
	tell(0, api.EventType_EVENT_TYPE_TUNNEL_CREATED, api.EventType_EVENT_TYPE_TUNNEL_UP)
	tell(1, api.EventType_EVENT_TYPE_SESSION_CREATED)
	tell(2, api.EventType_EVENT_TYPE_SESSION_CREATED, api.EventType_EVENT_TYPE_SESSION_UP,
		api.EventType_EVENT_TYPE_PPP_UP)
	tell(3, api.EventType_EVENT_TYPE_SESSION_CREATED, api.EventType_EVENT_TYPE_SESSION_UP,
		api.EventType_EVENT_TYPE_PPP_UP, api.EventType_EVENT_TYPE_PPP_DOWN)
	tell(4, api.EventType_EVENT_TYPE_SESSION_CREATED, api.EventType_EVENT_TYPE_SESSION_DELETED)
	tell(0, api.EventType_EVENT_TYPE_OBJECT_MODIFIED)

	last := l.Last()
	for session, want := range []api.EventType{
		api.EventType_EVENT_TYPE_TUNNEL_UP, api.EventType_EVENT_TYPE_SESSION_CREATED,
		api.EventType_EVENT_TYPE_PPP_UP, api.EventType_EVENT_TYPE_PPP_DOWN,
		api.EventType_EVENT_TYPE_SESSION_DELETED} {
		if got := last[Subject{7, uint32(session)}]; got != want {
			t.Errorf("the last event of session %d is %v, want %v", session, got, want)
		}
	}
	_, newest := l.Range()
	for _, last := range l.Unfinished() {
		l.Finish(last, "gone")
	}
	want := "session_deleted " + // 1
		"ppp_down session_down session_deleted " + // 2
		"session_down session_deleted " + // 3
		"tunnel_down tunnel_deleted"
	if got := strings.Join(told(t, l, newest), " "); got != want {
		t.Errorf("told %q, want %q", got, want)
	}
	if left := l.Unfinished(); len(left) > 0 {
		t.Errorf("unfinished: %v, want none", left)
	}
}
