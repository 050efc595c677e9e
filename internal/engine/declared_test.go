package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"culvert/api"
	"culvert/internal/config"
	"culvert/internal/dataplane"
)

// What has no name is what it was after a restart: no session gets the credentials of
// another one, and no tunnel its profile.
func TestNamelessAfterARestart(t *testing.T) {
	const text = `
tunnel profile modify profile_name=default secret=tea dest_ipaddr=192.0.2.1
tunnel profile create profile_name=a persist_delay=7
tunnel profile create profile_name=b persist_delay=9
tunnel create tunnel_name=office profile_name=a
tunnel create profile_name=a
tunnel create profile_name=b
session create tunnel_name=office user_name=alice user_password=wonderland
session create tunnel_name=office user_name=bob user_password=wonderland
`
	lns := lnsConfig + "user create user_name=bob user_password=wonderland\n"
	inMortalBubble(t, lns, text, func(w *dataplane.Wire, lns, lac *host) {
		pass(5 * time.Second)
		lac.wantSessions(api.SessionState_SESSION_STATE_UP, 2)
		want := lac.saysOfOurs()
		for range 2 {
			lac.restart(time.Second, nil)
			pass(time.Minute)
			if got := lac.saysOfOurs(); !slices.Equal(got, want) {
				t.Fatalf("after a restart there are\n%q\nwant\n%q", got, want)
			}
		}
	})
}

// saysOfOurs says of all tunnels and sessions that the host began what they are to be.
func (h *host) saysOfOurs() []string {
	said := make(map[string]bool)
	for _, s := range h.shards {
		done := make(chan struct{})
		s.mail.post(func() {
			defer close(done)
			for id, t := range s.tunnels {
				said[fmt.Sprint("tunnel ", id, " ", t.dialer.asked, " ", t.settings.PersistDelay)] = true
				for _, session := range t.sessions {
					said[fmt.Sprint("session ", session, " ", session.settings.UserName, " ",
						session.wanted.asked.GetUserName())] = true
				}
			}
		})
		<-done
	}
	return slices.Sorted(maps.Keys(said))
}

func TestMatchSessions(t *testing.T) {
	const tunnel = "tunnel create tunnel_name=office dest_ipaddr=192.0.2.1\n"
	for name, test := range map[string]struct {
		left, now []string
		want      []int // of now, -1: none
	}{
		"alike in another order": {[]string{"user_name=alice", "user_name=bob"},
			[]string{"user_name=bob", "user_name=alice"}, []int{1, 0}},
		"changed": {[]string{"user_name=alice calling_number=1", "user_name=alice calling_number=2"},
			[]string{"user_name=alice calling_number=2", "user_name=alice calling_number=3"}, []int{1, 0}},
		"another user":  {[]string{"user_name=alice"}, []string{"user_name=bob"}, []int{-1}},
		"one too many":  {[]string{"user_name=alice", "user_name=alice"}, []string{"user_name=alice"}, []int{0, -1}},
		"by name":       {[]string{"session_name=s user_name=alice"}, []string{"session_name=s user_name=bob"}, []int{0}},
		"by identifier": {[]string{"session_id=7 user_name=alice"}, []string{"session_id=7 user_name=bob"}, []int{0}},
		"other names":   {[]string{"session_name=s"}, []string{"session_name=t", "session_id=7", ""}, []int{-1}},
	} {
		read := func(lines []string) (all []subjectOf[*api.Session]) {
			store := config.NewStore("host")
			var text strings.Builder
			text.WriteString(tunnel)
			for _, line := range lines {
				text.WriteString("session create tunnel_name=office " + line + "\n")
			}
			if err := store.Load("test.conf", []byte(text.String())); err != nil {
				t.Fatal(err)
			}
			for _, s := range store.Snapshot().Sessions() {
				all = append(all, asSession(store.Snapshot().TunnelOf(s), s))
			}
			return all
		}
		now := read(test.now)
		for i, got := range match(read(test.left), now) {
			if want := test.want[i]; want < 0 && got != nil || want >= 0 && got != now[want].object {
				t.Errorf("%s: %s is now %v, want number %d", name, test.left[i], got, want)
			}
		}
	}
}
