package engine

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"culvert/api"
	"culvert/internal/config"
	"culvert/internal/dataplane"
	"culvert/internal/schema"
	"culvert/internal/trace"
	"culvert/l2tp"
)

// secrets are those of lnsConfig, lacConfig and of what tests here make of them.
var secrets = []string{"wonderland", "mirror", "tea", "coffee"}

// wantNoSecrets checks that a text holds none.
func wantNoSecrets(t *testing.T, what, text string) {
	t.Helper()
	for _, s := range secrets {
		if strings.Contains(text, s) {
			t.Errorf("%s holds the secret %q:\n%s", what, s, text)
		}
	}
}

// traced is what a host has in memory of all tunnels, a line each.
func (h *host) traced() string {
	h.t.Helper()
	var b strings.Builder
	for id := 1; id < 1<<16; id++ {
		for _, r := range h.trace.Find(trace.Query{Tunnel: l2tp.TunnelID(id)}) {
			fmt.Fprintf(&b, "%d/%d %s %v %s\n", r.Tunnel, r.Session, r.Direction, r.Flag, r.Text)
		}
	}
	wantNoSecrets(h.t, "memory", b.String())
	return b.String()
}

// wantTraced checks that memory holds all of some texts, in this order.
func (h *host) wantTraced(want ...string) {
	h.t.Helper()
	rest := h.traced()
	all := rest
	for _, w := range want {
		_, after, ok := strings.Cut(rest, w)
		if !ok {
			h.t.Fatalf("memory lacks %q, or has it out of turn:\n%s", w, all)
		}
		rest = after
	}
}

// flagLines are, for every flag, what it says of a session that comes up, once
// at least at the LNS.
var flagLines = map[schema.TraceFlags][]string{
	schema.TraceProtocol: {`msg="ICRQ tunnel `, `{Random Vector, Assigned Session ID (hidden)`, `dir=rx`, `dir=tx`, `msg="ZLB tunnel`},
	schema.TraceFSM: {`control connection idle -> wait-ctl-conn: SCCRQ received`,
		`call idle -> wait-connect: CallAccepted`, `LCP Ack-Sent -> Opened: `,
		`link Authenticate -> Network: `},
	schema.TraceAVPInfo: {`SCCRQ AVP Host Name: type 7, `, ` octets, mandatory`},
	schema.TraceAVPHide: {`ICRQ AVP Assigned Session ID: hidden by the peer`,
		`ICRP AVP Assigned Session ID: hidden here`},
	schema.TraceAVPData: {`SCCRQ AVP Host Name: \"host-192.0.2.2\"`, `SCCRQ AVP Protocol Version: 1.0`},
	schema.TraceFunc:    {`msg="queued: data session, `, `msg="done after `},
	schema.TraceTransport: {`msg="received SCCRQ Ns 0 Nr 0; Ns 1, Nr 1, window 10, CWND 1, SSTHRESH 10, 1 outstanding`,
		`msg="sent SCCRP Ns 0 Nr 1; `},
	schema.TraceData: {`msg="socket from 192.0.2.1:1701 to 192.0.2.2:`, `msg="data session, peer's session`,
		`msg="interface `, `IPv4 10.9.0.1 to 10.9.0.`},
	schema.TraceSystem: {`msg="1 tunnels (max_tunnels 0), `, `; 1 sessions of this tunnel `},
	schema.TracePPPControl: {`msg="LCP Configure-Request id=`, `msg="CHAP Response id=`,
		`user \"alice\" by MS-CHAPv2: accepted`, `msg="IPCP Configure-Ack id=`},
}

// traceLines are the log's lines of a flag.
func (h *host) traceLines(f schema.TraceFlags) string {
	var lines []string
	for line := range strings.Lines(h.logs.String()) {
		if strings.Contains(line, " trace="+f.String()+" ") || strings.HasSuffix(strings.TrimSpace(line), " trace="+f.String()) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

const hiding = "tunnel profile modify profile_name=default hide_avps=yes\n"

func TestTraceFlags(t *testing.T) {
	for i := range schema.TraceFlagWords {
		flag := schema.TraceFlags(1 << i)
		if flag == schema.TraceAPI {
			continue // management's
		}
		t.Run(flag.String(), func(t *testing.T) {
			for _, by := range []string{
				"system modify trace_flags=%v\n",
				"tunnel profile modify profile_name=default trace_flags=%v\n",
			} {
				inBubble(t, lnsConfig+hiding+fmt.Sprintf(by, flag), "", func(_ *dataplane.Wire, lns, lac *host) {
					lac.declare(hiding + lacConfig)
					pass(time.Second)
					lns.declare("system modify max_sessions=99")
					lns.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
					lns.wantOnly(flag)
					if flag == schema.TraceSystem && strings.HasPrefix(by, "system") {
						lns.wantLog(`msg="configuration changed" host=192.0.2.1 trace=system`)
					}
					if got := lac.logs.String(); strings.Contains(got, " trace=") {
						t.Errorf("the LAC, where no flag is on, traces:\n%s", got)
					}
				})
			}
		})
	}
}

// wantOnly checks that the log has the lines of one flag, and of no other.
func (h *host) wantOnly(flag schema.TraceFlags) {
	h.t.Helper()
	got := h.traceLines(flag)
	for _, want := range flagLines[flag] {
		if !strings.Contains(got, want) {
			h.t.Errorf("%v: no line %s in:\n%s", flag, want, got)
		}
	}
	if all := strings.Count(h.logs.String(), " trace="); all != strings.Count(got, "\n") {
		h.t.Errorf("%v: %d lines of traces, %d of this flag:\n%s", flag, all,
			strings.Count(got, "\n"), h.logs)
	}
	wantNoSecrets(h.t, "the log", h.logs.String())
}

// TestTraceOfOne: flags of a session, of a tunnel and of a PPP profile are on for those alone.
func TestTraceOfOne(t *testing.T) {
	two := `
tunnel profile modify profile_name=default secret=tea
ppp profile create profile_name=loud trace_flags=ppp_control
tunnel create tunnel_name=quiet dest_ipaddr=192.0.2.1
tunnel create tunnel_name=loud dest_ipaddr=192.0.2.1 trace_flags=protocol
session create tunnel_name=quiet session_name=q1 user_name=alice user_password=wonderland
session create tunnel_name=quiet session_name=q2 user_name=alice user_password=wonderland trace_flags=fsm
session create tunnel_name=quiet session_name=q3 user_name=alice user_password=wonderland ppp_profile_name=loud
session create tunnel_name=loud session_name=l1 user_name=alice user_password=wonderland
`
	inBubble(t, lnsConfig, "", func(_ *dataplane.Wire, lns, lac *host) {
		lac.declare(two)
		pass(time.Second)
		lac.wantSessions(api.SessionState_SESSION_STATE_UP, 4)
		names := make(map[string]string) // what the log calls them
		for _, s := range lac.sessions() {
			names[s.GetSessionName()] = fmt.Sprintf("session=%d/%d\n", s.GetTunnelId(), s.GetSessionId())
		}
		loud, _, _ := strings.Cut(strings.TrimPrefix(names["l1"], "session="), "/")
		for line := range strings.Lines(lac.logs.String()) {
			ok := true
			switch {
			case strings.Contains(line, "trace=fsm"):
				ok = strings.HasSuffix(line, names["q2"])
			case strings.Contains(line, "trace=ppp_control"):
				ok = strings.HasSuffix(line, names["q3"])
			case strings.Contains(line, "trace=protocol"):
				ok = strings.Contains(line, "tunnel="+loud+"\n") || strings.Contains(line, "session="+loud+"/")
			case strings.Contains(line, "trace="):
				ok = false
			}
			if !ok {
				t.Errorf("traced, although its flag is not on: %s", line)
			}
		}
		for _, f := range []schema.TraceFlags{schema.TraceFSM, schema.TracePPPControl, schema.TraceProtocol} {
			if lac.traceLines(f) == "" {
				t.Errorf("nothing is traced by the flag %v", f)
			}
		}
	})
}

// TestTraceFlagsHoldAtOnce: of what runs already, and off again.
func TestTraceFlagsHoldAtOnce(t *testing.T) {
	inBubble(t, lnsConfig, lacConfig, func(_ *dataplane.Wire, _, lac *host) {
		pass(time.Second)
		set := func(flags uint32) {
			_, err := lac.ModifyTunnel(context.Background(), &api.Tunnel{TunnelName: new("office"),
				Parameters: &api.TunnelParameters{TraceFlags: new(flags)}}, nil)
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, change := range []struct {
			what    string
			on, off func()
		}{
			{"tunnel modify", func() { set(uint32(schema.TraceProtocol)) }, func() { set(0) }},
			{"system modify",
				func() { lac.declare("system modify trace_flags=protocol") },
				func() { lac.declare("system modify trace_flags=none") }},
		} {
			before := lac.logs.Len()
			pass(5 * time.Minute)
			if got := lac.logs.String()[before:]; strings.Contains(got, "HELLO") {
				t.Errorf("before %s a HELLO is traced:\n%s", change.what, got)
			}
			change.on()
			pass(5 * time.Minute)
			if got := lac.traceLines(schema.TraceProtocol); !strings.Contains(got, `msg="HELLO tunnel`) {
				t.Errorf("after %s no HELLO is traced:\n%s", change.what, got)
			}
			change.off()
			lac.logs.Reset()
		}
	})
}

// TestFailedLoginIsExplained: what is in memory says why, at both ends, when all is over.
func TestFailedLoginIsExplained(t *testing.T) {
	for _, tt := range []struct {
		name, lns, lac, why string
	}{
		{"wrong password", "", strings.ReplaceAll(lacConfig, "wonderland", "mirror"), "wrong password"},
		{"no such user", "", strings.ReplaceAll(lacConfig, "alice", "bob"), "there is no such user"},
		{"wrong password by PAP",
			"ppp profile modify profile_name=default auth_chap=no auth_mschapv1=no auth_mschapv2=no auth_eap=no auth_pap=yes\n",
			strings.ReplaceAll(lacConfig, "wonderland", "mirror"), "wrong password"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, lnsConfig+tt.lns, tt.lac, func(_ *dataplane.Wire, lns, lac *host) {
				pass(time.Minute)
				lns.wantSessions(api.SessionState_SESSION_STATE_UP, 0)
				lns.wantTraced("tunnel asked for by 192.0.2.2:", "rx protocol SCCRQ tunnel 0",
					"control connection idle -> wait-ctl-conn", "rx protocol ICRQ", "asked for",
					"LCP Configure-Request", "refused: "+tt.why, "session ended: ")
				lac.wantTraced("opening tunnel office to 192.0.2.1:1701, attempt 1",
					"placing call s1, attempt 1", "tx protocol ICRQ", "rx protocol ICRP",
					"local authentication failed", "session ended: ")
			})
		})
	}
}

// TestWrongSecretIsExplained: of a tunnel likewise.
func TestWrongSecretIsExplained(t *testing.T) {
	bad := strings.ReplaceAll(lacConfig, "secret=tea", "secret=coffee")
	inBubble(t, lnsConfig, bad, func(_ *dataplane.Wire, lns, lac *host) {
		pass(time.Minute)
		lac.wantTraced("tx protocol SCCRQ", "rx protocol SCCRP", "Challenge (16 octets)", "tunnel ended: ")
		lns.wantTraced("rx protocol SCCRQ", "tunnel ended: ")
	})
}

// TestTraceByName: a tunnel and its session are found when they are long over,
// with those of their attempts that had other identifiers, and no others.
func TestTraceByName(t *testing.T) {
	text := strings.Replace(persistConfig, "tunnel create", `tunnel create tunnel_name=other dest_ipaddr=192.0.2.1
tunnel create`, 1)
	inBubble(t, lnsConfig, text, func(_ *dataplane.Wire, lns, lac *host) {
		pass(time.Second)
		ids := map[l2tp.TunnelID]bool{}
		for range 2 {
			for _, s := range lns.shards {
				ask(context.Background(), s, func() (any, error) {
					for _, tu := range s.tunnels {
						tu.close(time.Now(), l2tp.Result{Code: l2tp.StopGeneral})
					}
					return nil, nil
				})
			}
			pass(time.Minute)
		}
		pass(time.Minute)
		begun := 0
		for _, r := range lac.trace.Find(trace.Query{TunnelName: "office"}) {
			ids[r.Tunnel] = true
			if strings.HasPrefix(r.Text, "opening tunnel office") {
				begun++
			}
			if strings.Contains(r.Text, "other") {
				t.Errorf("of another tunnel: %s", r.Text)
			}
		}
		if begun < 3 || len(ids) < 3 {
			t.Errorf("%d attempts with %d identifiers are found, want 3:\n%s", begun, len(ids), lac.traced())
		}
		for _, r := range lac.trace.Find(trace.Query{TunnelName: "office", SessionName: "s1"}) {
			if r.Session == 0 {
				t.Errorf("of no session: %s", r.Text)
			}
		}
	})
}

// TestIdleSessionsDoNotFlushMemory: what a session repeats for ever is left out.
func TestIdleSessionsDoNotFlushMemory(t *testing.T) {
	echoes := "ppp profile modify profile_name=default lcp_echo_interval=10 chap_interval=60\n"
	inBubble(t, lnsConfig+echoes, "", func(_ *dataplane.Wire, lns, lac *host) {
		lac.declare(echoes + lacConfig)
		pass(time.Minute)
		before := len(lns.traced())
		pass(time.Hour)
		lns.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
		if after := lns.traced(); len(after) > before {
			t.Errorf("an hour of an idle session left in memory:\n%s", after[before:])
		}
	})
}

// TestLostPeerIsExplained: retransmissions of the HELLO that went unanswered are not chatter.
func TestLostPeerIsExplained(t *testing.T) {
	inBubble(t, lnsConfig, lacConfig, func(w *dataplane.Wire, lns, lac *host) {
		pass(time.Second)
		w.Cut(lacAddr)
		pass(10 * time.Minute)
		lns.wantTraced("tx protocol HELLO", ", again", "tunnel ended: lost: ")
	})
}

// BenchmarkTraceOff: what a hook costs when nobody traces.
func BenchmarkTraceOff(b *testing.B) {
	e := &Engine{trace: trace.New(trace.Options{}), store: config.NewStore("test")}
	s := newShard(e, 0)
	e.shards = []*shard{s}
	t := &tunnel{shard: s, core: l2tp.Initiate(new(l2tp.Config), 7), settings: new(tunnelSettings)}
	sess := &session{tunnel: t, id: 9, settings: new(sessionSettings)}
	b.Run("flags", func(b *testing.B) {
		for b.Loop() {
			if sess.flags() != 0 {
				b.Fatal("flags are on")
			}
		}
	})
	b.Run("echo", func(b *testing.B) {
		echo := []byte{0xc0, 0x21, 9, 1, 0, 8, 0, 0, 0, 0}
		for b.Loop() {
			e.trace.Frame(sess.subject(), trace.Received, echo, true)
		}
	})
	b.Run("message", func(b *testing.B) {
		hello := l2tp.AppendMessage(nil, &l2tp.CDN{AssignedSessionID: 9})
		for b.Loop() {
			e.trace.Message(sess.subject(), trace.Received, hello, false)
		}
	})
	b.Run("capture", func(b *testing.B) {
		for b.Loop() {
			t.captured(trace.Sent, t.peer, t.peer, nil)
		}
	})
}
