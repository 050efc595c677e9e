package shell

import (
	"fmt"
	"time"

	"connectrpc.com/connect"

	"culvert/api"
)

// serverVerbs choose the daemon that commands are for.
func serverVerbs() []*verb {
	return []*verb{
		{words: "server modify", run: (*Shell).serverModify, args: []arg{{
			name: "name", required: true, expected: "a host, HOST:PORT, the path of a socket, or local",
			help: "Where the other daemon is: a host over TLS, or the path of a socket", values: files}},
			help: "Manage another daemon from here on"},
		{words: "server show", also: []string{"show server"}, run: (*Shell).serverShow,
			help: "Which daemon commands are for"},
		{words: "test", run: (*Shell).test, rest: "[modify | log | show]",
			help: "Ask the daemon whether it answers"},
	}
}

// serverModify switches to another daemon, if that answers.
func (s *Shell) serverModify(c *call) error {
	server := s.Server.named(c.given["name"])
	client, err := server.client()
	if err != nil {
		return err
	}
	r, err := client.Version(c.ctx, connect.NewRequest(&api.VersionRequest{}))
	if err != nil {
		return explain(server, err)
	}
	if err := s.switchTo(server); err != nil {
		return err
	}
	return s.say("culvertd %s at %s", printable(r.Msg.GetVersion()), server)
}

func (s *Shell) serverShow(*call) error {
	_, err := fmt.Fprintln(s.out, s.Server)
	return err
}

// test takes the place of openl2tp's commands for its test builds.
func (s *Shell) test(c *call) error {
	if len(c.rest) > 0 {
		return wrong(c.rest[0], "test %s: only test builds of openl2tp have it", c.rest[0].Name)
	}
	client, err := s.daemon()
	if err != nil {
		return err
	}
	began := time.Now()
	r, err := client.Version(c.ctx, connect.NewRequest(&api.VersionRequest{}))
	if err != nil {
		return explain(s.Server, err)
	}
	_, err = fmt.Fprintf(s.out, "culvertd %s at %s answers in %s\n", printable(r.Msg.GetVersion()),
		s.Server, time.Since(began).Round(time.Microsecond))
	return err
}
