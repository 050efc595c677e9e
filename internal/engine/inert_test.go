package engine

import (
	"context"
	"strings"
	"testing"
	"time"

	"culvert/api"
	"culvert/internal/dataplane"
)

// A sharedInterface is a data plane that calls itself tun.
type sharedInterface struct{ dataplane.Dataplane }

func (sharedInterface) Kind() string { return "tun" }

// What the data plane cannot do is told in the status and, once, in the log.
func TestInterfaceNameWithoutEffect(t *testing.T) {
	for name, want := range map[string]int{
		"": 0, "session profile modify profile_name=default interface_name=vpn%s\n": 1,
	} {
		lac := name + "tunnel profile modify profile_name=default secret=tea\n" +
			"tunnel create tunnel_name=office dest_ipaddr=192.0.2.1\n"
		inBubble(t, lnsConfig, lac, func(_ *dataplane.Wire, _, lac *host) {
			pass(time.Second)
			if all := lac.inert(lac.store.Snapshot()); len(all) != 0 {
				t.Errorf("where interfaces have names: %v", all)
			}
			lac.onShard(func(t *tunnel) { t.shard.engine.path = sharedInterface{lac.path} })
			for range 2 {
				_, err := lac.CreateSession(context.Background(), &api.Session{
					TunnelName: new("office"), UserName: new("alice"), UserPassword: new("wonderland")})
				if err != nil {
					t.Fatal(err)
				}
			}
			pass(10 * time.Second)
			lac.wantSessions(api.SessionState_SESSION_STATE_UP, 2)
			st, err := lac.SystemStatus(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if n := len(st.Warnings); n != want ||
				n > 0 && !strings.HasPrefix(st.Warnings[0], `session profile "default": interface_name`) {
				t.Errorf("%q: warnings are %q, want %d", name, st.Warnings, want)
			}
			if n := strings.Count(lac.logs.String(), "interface_name has no effect"); n != want {
				t.Errorf("%q: it is logged %d times, want %d", name, n, want)
			}
		})
	}
}
