package shell

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/goccy/go-yaml"

	"culvert/api"
)

// check asks what loading a configuration would do.
func (s *Shell) check(c *call, src *api.Source) (*api.CheckConfigResponse, error) {
	client, err := s.daemon()
	if err != nil {
		return nil, err
	}
	r, err := client.CheckConfig(c.ctx, connect.NewRequest(&api.CheckConfigRequest{Source: src}))
	if err != nil {
		return nil, explain(s.Server, err)
	}
	return r.Msg, nil
}

func (s *Shell) configCheck(c *call) error {
	src, err := c.source()
	if err != nil {
		return err
	}
	r, err := s.check(c, src)
	if err != nil {
		return err
	}
	if s.format != "table" {
		if err := s.writeMessage(r); err != nil {
			return err
		}
	}
	if len(r.GetFaults()) > 0 {
		return s.faults(r.GetFaults())
	}
	s.warn(r.GetWarnings())
	if s.format != "table" {
		return nil
	}
	return s.say("no faults; loading it makes %s", count(len(r.GetChanges()), "change"))
}

func (s *Shell) configDiff(c *call) error {
	src, err := c.source()
	if err != nil {
		return err
	}
	r, err := s.check(c, src)
	if err != nil {
		return err
	}
	if s.format != "table" {
		return s.writeMessage(r)
	}
	if len(r.GetFaults()) > 0 {
		return s.faults(r.GetFaults())
	}
	s.warn(r.GetWarnings())
	if len(r.GetChanges()) == 0 {
		return s.say("no difference")
	}
	return s.showChanges(r.GetChanges())
}

// faults prints what is wrong in a configuration, and is the error for it.
func (s *Shell) faults(faults []*api.Fault) error {
	for _, f := range faults {
		fmt.Fprintln(s.Stderr, printable(faultText(f)))
	}
	return fmt.Errorf("nothing was changed: the configuration has %s", count(len(faults), "fault"))
}

func faultText(f *api.Fault) string {
	var parts []string
	if f.GetFile() != "" {
		parts = append(parts, f.GetFile())
	}
	for _, n := range []uint32{f.GetLine(), f.GetColumn()} {
		if n > 0 {
			parts = append(parts, strconv.Itoa(int(n)))
		}
	}
	where := strings.Join(parts, ":")
	if where != "" {
		where += ": "
	}
	return where + f.GetMessage()
}

func (s *Shell) warn(warnings []string) {
	for _, w := range warnings {
		fmt.Fprintln(s.Stderr, "warning:", printable(w))
	}
}

// signs stand before the objects that change.
var signs = map[api.ChangeAction]string{
	api.ChangeAction_CHANGE_ACTION_CREATE:   "+",
	api.ChangeAction_CHANGE_ACTION_MODIFY:   "~",
	api.ChangeAction_CHANGE_ACTION_DELETE:   "-",
	api.ChangeAction_CHANGE_ACTION_RECREATE: "!",
}

// showChanges prints what becomes of which object.
func (s *Shell) showChanges(changes []*api.Change) error {
	var b strings.Builder
	for _, c := range changes {
		fmt.Fprintf(&b, "%s %s", signs[c.GetAction()], c.GetKind())
		if c.GetName() != "" {
			fmt.Fprintf(&b, " %s", quoted(c.GetName()))
		}
		if c.GetAction() == api.ChangeAction_CHANGE_ACTION_RECREATE {
			b.WriteString(", which ends and begins anew")
		}
		if n := c.GetSessionsDropped(); n > 0 {
			fmt.Fprintf(&b, " (drops %s)", count(int(n), "session"))
		}
		b.WriteString("\n")
		for _, p := range c.GetParams() {
			if text := paramChange(c.GetAction(), p); text != "" {
				fmt.Fprintf(&b, "    %s\n", text)
			}
		}
	}
	_, err := io.WriteString(s.out, printableLines(b.String()))
	return err
}

// paramChange says what becomes of a parameter. Of an object that goes nothing need be
// said; of a new one, what it has.
func paramChange(action api.ChangeAction, p *api.ParamChange) string {
	switch action {
	case api.ChangeAction_CHANGE_ACTION_CREATE:
		return p.GetName() + ": " + p.GetNew()
	case api.ChangeAction_CHANGE_ACTION_DELETE:
		return ""
	}
	return fmt.Sprintf("%s: %s -> %s", p.GetName(), shownOr(p.GetOld(), "not set"),
		shownOr(p.GetNew(), "not set"))
}

func shownOr(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// printableLines is printable of every line.
func printableLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = printable(strings.ReplaceAll(line, "\t", "    "))
	}
	return strings.Join(lines, "\n")
}

func (s *Shell) configHistory(c *call) error {
	client, err := s.daemon()
	if err != nil {
		return err
	}
	r, err := client.ListRevisions(c.ctx, connect.NewRequest(&api.ListRevisionsRequest{}))
	if err != nil {
		return explain(s.Server, err)
	}
	if s.format != "table" {
		return s.writeMessage(r.Msg)
	}
	t := table{head: []string{"REVISION", "TIME", "AUTHOR", "STATE", "COMMENT"}}
	for _, v := range r.Msg.GetRevisions() {
		t.rows = append(t.rows, []string{strconv.Itoa(int(v.GetNumber())), clock(v.GetTime()),
			printable(v.GetAuthor()), revisionState(v), printable(v.GetComment())})
	}
	t.fit(s.width)
	return s.writeTable(&t)
}

func revisionState(v *api.Revision) string {
	switch {
	case v.GetRevertsAt() != nil:
		return "running, goes back at " + v.GetRevertsAt().AsTime().Local().Format("15:04:05")
	case v.GetRunning():
		return "running"
	}
	return ""
}

// clock is a time as people read it, in their own zone.
func clock(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	return t.AsTime().Local().Format(time.DateTime)
}

func (s *Shell) configShow(c *call) error {
	if len(c.rest) == 0 {
		return s.showRunning(c)
	}
	n, err := c.revision()
	if err != nil {
		return err
	}
	client, err := s.daemon()
	if err != nil {
		return err
	}
	r, err := client.GetRevision(c.ctx, connect.NewRequest(
		&api.GetRevisionRequest{Number: n, MaskSecrets: true}))
	if err != nil {
		return explain(s.Server, err)
	}
	_, err = io.WriteString(s.out, printableLines(r.Msg.GetText()))
	return err
}

func (s *Shell) showRunning(c *call) error {
	client, err := s.daemon()
	if err != nil {
		return err
	}
	r, err := client.Save(c.ctx, connect.NewRequest(&api.SaveRequest{MaskSecrets: true}))
	if err != nil {
		return explain(s.Server, err)
	}
	_, err = io.WriteString(s.out, printableLines(r.Msg.GetText()))
	return err
}

// writeMessage prints an answer that is no object, with the names of the API.
func (s *Shell) writeMessage(m proto.Message) error {
	options := protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true}
	text, err := options.Marshal(m)
	if err != nil {
		return err
	}
	// protojson spaces its output differently from run to run.
	var v yaml.MapSlice
	if err := yaml.UnmarshalWithOptions(text, &v, yaml.UseOrderedMap()); err != nil {
		return err
	}
	if s.format == "yaml" {
		return writeYAML(s.out, v)
	}
	return writeJSON(s.out, v, "", "\n")
}

// compactJSON is a message on one line.
func compactJSON(m proto.Message) (string, error) {
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil {
		return "", err
	}
	return escapeC1(b.String()), nil
}
