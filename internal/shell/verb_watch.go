package shell

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"culvert/api"
	"culvert/internal/schema"
)

// watchingVerbs show what happens, and what has happened.
func watchingVerbs() []*verb {
	tunnel := []arg{
		{name: "tunnel_id", help: "Our Tunnel ID", expected: "a number", values: namesOf("tunnel", "tunnel_id")},
		{name: "tunnel_name", help: "The name of the tunnel", expected: "a name",
			values: namesOf("tunnel", "tunnel_name")},
	}
	session := append(slices.Clone(tunnel),
		arg{name: "session_id", help: "Our Session ID", expected: "a number",
			values: namesOf("session", "session_id")},
		arg{name: "session_name", help: "The name of the session", expected: "a name",
			values: namesOf("session", "session_name")})
	limit := arg{name: "limit", help: "Only so many records, the last ones", expected: "a number"}
	return []*verb{
		{words: "events", run: (*Shell).events, also: []string{"show events"},
			args: append(slices.Clone(tunnel),
				arg{name: "after", help: "From the event after this one", expected: "a number"},
				arg{name: "follow", flag: true, help: "Go on with what happens, until ^C"}),
			help: "What has happened: tunnels, sessions, and changes of the configuration"},
		{words: "tunnel trace", rest: "[ID | NAME]", values: tunnelNames, run: (*Shell).trace,
			also: []string{"show trace tunnel"}, args: append(slices.Clone(tunnel), limit),
			help: "The last events and messages of a tunnel, even after it has ended"},
		{words: "session trace", rest: "[TUNNEL/SESSION]", values: sessionNames,
			also: []string{"show trace session"}, run: (*Shell).trace,
			args: append(slices.Clone(session), limit),
			help: "The last events and messages of a session, even after it has ended"},
		{words: "capture start", run: (*Shell).capture, args: append(slices.Clone(tunnel),
			arg{name: "file", required: true, help: "Where the packets go, for Wireshark",
				expected: "a path", values: files},
			arg{name: "peer_ipaddr", help: "Only of this peer, the set-up of its tunnels too, " +
				"which a tunnel's name or ID come too late for", expected: "an address or a prefix"},
			arg{name: "packets", help: "End after so many (default: at ^C)", expected: "a number"}),
			help: "Write the control messages of tunnels, secrets excepted, to a file until ^C"},
		{words: "watch", run: (*Shell).watch, nested: true, rest: "[INTERVAL] COMMAND...",
			help: "Carry out a command again and again, until ^C"},
	}
}

func (s *Shell) events(c *call) error {
	req := &api.WatchRequest{NoFollow: !c.has("follow")}
	var err error
	if req.After, err = c.number("after"); err != nil {
		return err
	}
	req.Replay = !c.has("after")
	if err := c.tunnel(&req.TunnelId, &req.TunnelName); err != nil {
		return err
	}
	client, err := s.daemon()
	if err != nil {
		return err
	}
	stream, err := client.Watch(c.ctx, connect.NewRequest(req))
	if err != nil {
		return explain(s.Server, err)
	}
	defer stream.Close()
	for stream.Receive() {
		if err := s.event(stream.Msg().GetEvent()); err != nil {
			return err
		}
	}
	return s.streamEnd(c, stream.Err())
}

// streamEnd makes no failure of ^C.
func (s *Shell) streamEnd(c *call, err error) error {
	if err == nil || c.ctx.Err() != nil || errors.Is(err, io.EOF) {
		return nil
	}
	return explain(s.Server, err)
}

// tunnel reads the arguments that name a tunnel.
func (c *call) tunnel(id *uint32, name *string) error {
	m := &api.Tunnel{}
	for _, key := range []string{"tunnel_id", "tunnel_name"} {
		if text, ok := c.given[key]; ok {
			if err := schema.KindOf(m).Param(key).Set(m, text); err != nil {
				return usagef("%v", err)
			}
		}
	}
	*id, *name = m.GetTunnelId(), m.GetTunnelName()
	return nil
}

// event prints an event on one line. In JSON each is a line, in YAML a document.
func (s *Shell) event(e *api.Event) error {
	if s.format != "table" {
		return s.writeLine(e)
	}
	parts := append([]string{fmt.Sprint(e.GetSequence()), clock(e.GetTime()), enumWord(e.GetType())},
		eventParts(e)...)
	_, err := io.WriteString(s.out, printable(strings.Join(parts, " "))+"\n")
	return err
}

func eventParts(e *api.Event) (parts []string) {
	add := func(name, value string) {
		if value != "" && value != "0" {
			parts = append(parts, name+"="+value)
		}
	}
	add("tunnel", or(e.GetTunnelName(), e.GetTunnelId()))
	add("session", or(e.GetSessionName(), e.GetSessionId()))
	add("peer", e.GetPeer())
	add("host", e.GetPeerHostName())
	add("user", e.GetUser())
	add("interface", e.GetInterface())
	add("local_ipv4", e.GetLocalIpv4())
	add("peer_ipv4", e.GetPeerIpv4())
	if e.GetKind() != "" {
		parts = append(parts, strings.TrimSpace(e.GetKind()+" "+e.GetName()))
	}
	if e.GetLost() > 0 {
		parts = append(parts, fmt.Sprintf("%d events are no longer known", e.GetLost()))
	}
	if e.GetCause() != "" {
		parts = append(parts, "cause="+quoted(e.GetCause()))
	}
	return parts
}

func (s *Shell) trace(c *call) error {
	req := &api.TraceRequest{SessionName: c.given["session_name"]}
	if err := c.tunnel(&req.TunnelId, &req.TunnelName); err != nil {
		return err
	}
	session, err := c.number("session_id")
	if err != nil {
		return err
	}
	limit, err := c.number("limit")
	if err != nil {
		return err
	}
	req.SessionId, req.Limit = uint32(session), uint32(limit)
	if len(c.rest) > 0 {
		if err := nameTraced(c, req); err != nil {
			return err
		}
	}
	if req.TunnelId == 0 && req.TunnelName == "" {
		return usagef("%s: expected tunnel_name=NAME or tunnel_id=NUMBER", c.verb.words)
	}
	client, err := s.daemon()
	if err != nil {
		return err
	}
	r, err := client.Trace(c.ctx, connect.NewRequest(req))
	if err != nil {
		return explain(s.Server, err)
	}
	for _, rec := range r.Msg.GetRecords() {
		if err := s.traceRecord(rec); err != nil {
			return err
		}
	}
	return nil
}

// nameTraced reads TUNNEL or TUNNEL/SESSION.
func nameTraced(c *call, req *api.TraceRequest) error {
	name, err := c.one()
	if err != nil {
		return err
	}
	tunnel, session, ok := strings.Cut(name, "/")
	var id, sid *uint32
	var tname, sname *string
	setKey(tunnel, &id, &tname)
	if ok {
		setKey(session, &sid, &sname)
	}
	req.TunnelId, req.SessionId = deref(id), deref(sid)
	req.TunnelName, req.SessionName = deref(tname), deref(sname)
	return nil
}

func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func (s *Shell) traceRecord(r *api.TraceRecord) error {
	if s.format != "table" {
		return s.writeLine(r)
	}
	arrow := map[string]string{"rx": "<-", "tx": "->"}[r.GetDirection()]
	who := fmt.Sprint(r.GetTunnelId())
	if r.GetSessionId() != 0 {
		who += fmt.Sprintf("/%d", r.GetSessionId())
	}
	_, err := fmt.Fprintf(s.out, "%s %-11s %-11s %2s %s\n",
		r.GetTime().AsTime().Local().Format("2006-01-02 15:04:05.000"), who, r.GetFlag(), arrow,
		printable(r.GetText()))
	return err
}

// capture writes packets to a file until ^C, or until there are enough.
func (s *Shell) capture(c *call) (err error) {
	req := &api.CaptureRequest{PeerIpaddr: c.given["peer_ipaddr"]}
	if err := c.tunnel(&req.TunnelId, &req.TunnelName); err != nil {
		return err
	}
	if req.Packets, err = c.number("packets"); err != nil {
		return err
	}
	client, err := s.daemon()
	if err != nil {
		return err
	}
	stream, err := client.Capture(c.ctx, connect.NewRequest(req))
	if err != nil {
		return explain(s.Server, err)
	}
	defer stream.Close()
	// The file is made when the daemon has agreed.
	var file *os.File
	var last *api.CaptureResponse
	p := s.progress("packets")
	for stream.Receive() {
		last = stream.Msg()
		if file == nil {
			if file, err = os.OpenFile(c.given["file"], os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600); err != nil {
				return fmt.Errorf("writing the capture: %w", err)
			}
		}
		if _, err := file.Write(last.GetData()); err != nil {
			return fmt.Errorf("writing the capture: %w", errors.Join(err, file.Close()))
		}
		p.at(int(last.GetPackets()), int(req.GetPackets()))
	}
	p.end()
	if file != nil {
		if err := file.Close(); err != nil {
			return fmt.Errorf("writing the capture: %w", err)
		}
		if err := s.say("%s written to %s, %d missed", count(int(last.GetPackets()), "packet"),
			c.given["file"], last.GetMissed()); err != nil {
			return err
		}
	}
	return s.streamEnd(c, stream.Err())
}

// watchInterval is how long watch waits if it is told nothing else.
const watchInterval = 2 * time.Second

// watch carries out a command until ^C. It shows as much as fits on the screen.
func (s *Shell) watch(c *call) error {
	interval := watchInterval
	words := c.rest
	if len(words) > 1 {
		if n, err := seconds(words[0].Name); err == nil && n > 0 {
			interval, words = time.Duration(n)*time.Second, words[1:]
		}
	}
	if len(words) == 0 {
		return usagef("watch: expected %s", c.verb.rest)
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		if err := s.watchOnce(c, interval, words); err != nil {
			return err
		}
		select {
		case <-c.ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// watchOnce shows the output of a command in place of the one before.
func (s *Shell) watchOnce(c *call, interval time.Duration, words []schema.Word) error {
	if s.Terminal == nil || s.Terminal.plain || s.width == 0 {
		return s.command(c.ctx, words)
	}
	var b strings.Builder
	width, height := s.Terminal.size()
	out := s.out
	s.out, s.width = &b, width
	err := s.command(c.ctx, words)
	s.out = out
	if err != nil {
		return err
	}
	head := fmt.Sprintf("every %s: %s", interval, joinWords(words))
	now := time.Now().Format(time.DateTime)
	head = cut(head, width-len(now)-2)
	head += strings.Repeat(" ", max(width-len([]rune(head))-len(now), 1)) + now
	lines := append([]string{head, ""}, strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")...)
	text := strings.Join(lines[:min(len(lines), height-1)], "\n")
	_, err = io.WriteString(s.Terminal, "\x1b[H\x1b[2J"+text+"\n")
	return err
}

// enumWord is the word for a value of an enum of the API.
func enumWord(e interface {
	Descriptor() protoreflect.EnumDescriptor
	Number() protoreflect.EnumNumber
}) string {
	if v := e.Descriptor().Values().ByNumber(e.Number()); v != nil {
		return schema.EnumWord(v)
	}
	return fmt.Sprint(e.Number())
}

// writeLine prints a message of a stream.
func (s *Shell) writeLine(m proto.Message) error {
	if s.format == "yaml" {
		if _, err := io.WriteString(s.out, "---\n"); err != nil {
			return err
		}
		return s.writeMessage(m)
	}
	text, err := compactJSON(m)
	if err != nil {
		return err
	}
	_, err = io.WriteString(s.out, text+"\n")
	return err
}
