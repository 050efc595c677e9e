package shell

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"connectrpc.com/connect"

	"culvert/api"
	"culvert/internal/schema"
)

// showVerbs are what operators ask for in other words than the objects'.
func showVerbs() []*verb {
	return []*verb{
		{words: "show version", also: []string{"version"}, help: "The versions of the daemon and of this shell",
			run: func(s *Shell, c *call) error { return s.showVersion(c.ctx) }},
		{words: "show uptime", also: []string{"uptime"}, run: (*Shell).showUptime,
			help: "How long the daemon has been running, and what it carries"},
		{words: "show counters", help: "What was counted since the start, or since clear counters",
			run: func(s *Shell, c *call) error { return s.showSystem(c.ctx, "statistics") }},
		{words: "clear counters", help: "Set the counters to zero", run: (*Shell).clearCounters},
		{words: "show debug", help: "What is traced of the whole daemon", hidden: true,
			run: (*Shell).debugShow},
	}
}

func (s *Shell) showSystem(ctx context.Context, part string) error {
	r, err := s.ask(ctx, &api.System{})
	if err != nil {
		return err
	}
	return s.showPart(r, part)
}

func (s *Shell) showVersion(ctx context.Context) error {
	client, err := s.daemon()
	if err != nil {
		return err
	}
	r, err := client.Version(ctx, connect.NewRequest(&api.VersionRequest{}))
	if err != nil {
		return explain(s.Server, err)
	}
	if s.format != "table" {
		return s.writeMessage(r.Msg)
	}
	if _, err := fmt.Fprintf(s.out, "culvertd %s at %s, API version %d\n",
		printable(r.Msg.GetVersion()), s.Server, r.Msg.GetApiVersion()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "l2tpconfig %s\n", ownVersion())
	return err
}

// ownVersion is the version that the program was built as.
func ownVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}

func (s *Shell) showUptime(c *call) error {
	r, err := s.ask(c.ctx, &api.System{})
	if err != nil {
		return err
	}
	st := r.GetObject().GetSystem().GetStatus()
	if s.format != "table" {
		keep := []string{"started_at", "uptime", "tunnels", "tunnels_established", "sessions", "sessions_up"}
		fields := inside(schema.KindNamed("system").Fields(r.GetObject().GetSystem()), "status")
		fields = slices.DeleteFunc(fields, func(f schema.Field) bool { return !slices.Contains(keep, f.Name) })
		if s.format == "yaml" {
			return writeYAML(s.out, toMap(fields))
		}
		return writeJSON(s.out, toMap(fields), "", "\n")
	}
	_, err = fmt.Fprintf(s.out, "%s up %s, %s (%d established), %s (%d up)\n",
		time.Now().Format("15:04:05"), spell(st.GetUptime()),
		count(int(st.GetTunnels()), "tunnel"), st.GetTunnelsEstablished(),
		count(int(st.GetSessions()), "session"), st.GetSessionsUp())
	return err
}

func (s *Shell) clearCounters(c *call) error {
	client, err := s.daemon()
	if err != nil {
		return err
	}
	_, err = client.ResetStatistics(c.ctx, connect.NewRequest(&api.ResetStatisticsRequest{}))
	if err != nil {
		return explain(s.Server, err)
	}
	return s.say("counters are zero")
}
