package l2tp

import (
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the transcripts under testdata")

// TestTranscripts runs testdata/*.transcript: commands, a line of dashes, and
// what comes of them.
//
//	initiate|respond|refuse KEY=VALUE...   make the tunnel; keys are fields of Config
//	open, stop CODE, tie-lost, data        events
//	recv [ns=N] [nr=N] [tid=N] [sid=N] TYPE|zlb KEY=VALUE...
//	                                       keys are fields of the message; +HEX appends octets
//	place KIND ID [KEY=VALUE...], accept ID, connected ID [...], refuse-call ID CODE,
//	hangup ID CODE, sli ID, wen ID         events of calls
//	tick DURATION                          time passes, then Tick
//	state, stats, restore                  look at it; snapshot and restore it
//
// Without ns and nr a message is the peer's next, and acknowledges all.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.transcript")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".transcript"), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := runTranscript(t, string(b))
			if got == string(b) {
				return
			}
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
					t.Fatal(err)
				}
				return
			}
			t.Errorf("got:\n%s\nwant:\n%s", got, b)
		})
	}
}

func runTranscript(t *testing.T, text string) string {
	var out strings.Builder
	x := &transcript{t: t, now: start}
	for block := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		commands, _, _ := strings.Cut(block, "\n----")
		out.WriteString(commands + "\n----\n")
		for line := range strings.SplitSeq(commands, "\n") {
			if !strings.HasPrefix(line, "#") {
				out.WriteString(x.run(strings.Fields(line)))
			}
		}
		out.WriteString("\n")
	}
	return out.String()
}

type transcript struct {
	t      *testing.T
	now    time.Time
	tunnel *Tunnel
	cfg    *Config
	ns, nr uint16 // the peer's
}

// counting is a Config.Rand: the nth read gives n, so that identifiers are 1, 2, ...
type counting struct{ n byte }

func (c *counting) Read(b []byte) (int, error) {
	c.n++
	clear(b)
	b[len(b)-1] = c.n
	return len(b), nil
}

func (x *transcript) run(args []string) string {
	x.t.Helper()
	id := func() SessionID { return SessionID(x.number(args[1])) }
	result := func(i int) Result { return Result{Code: ResultCode(x.number(args[i]))} }
	call := func(i int) (c Call) { x.set(&c, args[i:]); return c }
	switch args[0] {
	case "initiate", "respond", "refuse":
		return x.begin(args)
	case "open":
		return x.step(Open{})
	case "stop":
		return x.step(Stop{result(1)})
	case "tie-lost":
		return x.step(TieBreakerLost{})
	case "data":
		return x.step(DataReceived{})
	case "recv":
		return x.step(MessageReceived{x.message(args[1:])})
	case "place":
		kinds := map[string]CallKind{"incoming": LACIncoming, "outgoing": LNSOutgoing}
		return x.step(PlaceCall{SessionID(x.number(args[2])), kinds[args[1]], call(3)})
	case "accept":
		return x.step(CallAccepted{id()})
	case "connected":
		return x.step(CallConnected{id(), call(2)})
	case "refuse-call":
		return x.step(CallRefused{id(), result(2)})
	case "hangup":
		return x.step(HangUp{Session: id(), Result: result(2)})
	case "sli":
		return x.step(SetLinkInfo{id(), 0xa0000, 0})
	case "wen":
		return x.step(NotifyErrors{id(), CallErrors{CRC: 1, Alignments: 6}})
	case "tick":
		d, err := time.ParseDuration(args[1])
		if err != nil {
			x.t.Fatal(err)
		}
		x.now = x.now.Add(d)
		return x.step(Tick{})
	case "state":
		return x.state()
	case "stats":
		s := x.tunnel.Stats()
		return fmt.Sprintf("Ns %d Nr %d window %d cwnd %d ssthresh %d outstanding %d queued %d held %d\n",
			s.Ns, s.Nr, s.SendWindow, s.CWND, s.SSThresh, s.Outstanding, s.Queued, s.HeldEarly) +
			fmt.Sprintf("retransmits %d duplicates %d early %d beyond %d malformed %d ignored %d/%d\n",
				s.Retransmits, s.Duplicates, s.OutOfOrder, s.BeyondWindow, s.Malformed,
				s.IgnoredMessages, s.IgnoredAVPs)
	case "restore":
		var err error
		if x.tunnel, err = Restore(x.cfg, x.now, x.tunnel.Snapshot(x.now)); err != nil {
			x.t.Fatal(err)
		}
		return ""
	}
	x.t.Fatalf("no such command: %q", args)
	return ""
}

func (x *transcript) begin(args []string) string {
	x.cfg = &Config{HostName: "culvert", Rand: &counting{}}
	x.set(x.cfg, args[1:])
	switch args[0] {
	case "initiate":
		x.tunnel = Initiate(x.cfg, 10)
	case "respond":
		x.tunnel = Respond(x.cfg, 10)
	case "refuse":
		x.tunnel = Refuse(x.cfg, 10, Result{Code: StopNotAuthorized})
	}
	x.ns, x.nr = 0, 0
	return ""
}

func (x *transcript) state() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%v", x.tunnel.State())
	if at := x.tunnel.Deadline(); !at.IsZero() {
		fmt.Fprintf(&s, ", next in %v", at.Sub(x.now))
	}
	for i := range x.tunnel.Sessions() {
		fmt.Fprintf(&s, "\nsession %d/%d %v %v", i.Session, i.PeerSession, i.Kind, i.State)
	}
	return s.String() + "\n"
}

func (x *transcript) step(ev Event) string {
	var b strings.Builder
	for _, a := range x.tunnel.Step(x.now, ev) {
		fmt.Fprintln(&b, a)
		if s, ok := a.(Send); ok {
			if h, body, _ := ParseHeader(s.Data); len(body) > 0 && h.Ns == x.nr {
				x.nr++
			}
		}
	}
	return b.String()
}

// message makes the datagram of a recv command.
func (x *transcript) message(args []string) []byte {
	h := map[string]int{"tid": int(x.tunnel.ID()), "sid": 0, "ns": -1, "nr": int(x.nr)}
	for ; strings.Contains(args[0], "="); args = args[1:] {
		k, v, _ := strings.Cut(args[0], "=")
		h[k] = x.number(v)
	}
	var body []byte
	if args[0] != "zlb" {
		if h["ns"] < 0 {
			h["ns"] = int(x.ns)
			x.ns++
		}
		body = x.body(args)
	}
	return appendControl(nil, TunnelID(h["tid"]), SessionID(h["sid"]), uint16(max(h["ns"], 0)),
		uint16(h["nr"]), body)
}

func (x *transcript) body(args []string) (body []byte) {
	for mt := range MessageType(numMessageTypes) {
		if m := newMessage(mt); m != nil && mt.String() == args[0] {
			var extra string
			if n := len(args) - 1; n > 0 && args[n][0] == '+' {
				extra, args = args[n][1:], args[:n]
			}
			x.set(m, args[1:])
			raw, err := hex.DecodeString(extra)
			if err != nil {
				x.t.Fatal(err)
			}
			return append(AppendMessage(nil, m), raw...)
		}
	}
	raw, err := hex.DecodeString(args[0])
	if err != nil {
		x.t.Fatalf("no such message: %q", args[0])
	}
	return raw
}

// set sets fields of a struct from KEY=VALUE.
func (x *transcript) set(p any, args []string) {
	for _, kv := range args {
		k, v, _ := strings.Cut(kv, "=")
		f := reflect.ValueOf(p).Elem().FieldByName(k)
		switch f.Interface().(type) {
		case time.Duration:
			d, err := time.ParseDuration(v)
			if err != nil {
				x.t.Fatal(err)
			}
			f.SetInt(int64(d))
			continue
		case Result:
			f.Set(reflect.ValueOf(Result{Code: ResultCode(x.number(v))}))
			continue
		}
		switch f.Kind() {
		case reflect.String:
			f.SetString(v)
		case reflect.Bool:
			f.SetBool(v == "true")
		case reflect.Int:
			f.SetInt(int64(x.number(v)))
		case reflect.Slice:
			b, err := hex.DecodeString(v)
			if err != nil {
				x.t.Fatal(err)
			}
			f.SetBytes(b)
		default:
			f.SetUint(uint64(x.number(v)))
		}
	}
}

func (x *transcript) number(s string) int {
	x.t.Helper()
	n, err := strconv.ParseInt(s, 0, 64)
	if err != nil {
		x.t.Fatal(err)
	}
	return int(n)
}
