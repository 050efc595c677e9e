package shell

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"connectrpc.com/connect"

	"culvert/api"
	"culvert/internal/importer"
)

// configVerbs are the commands about the configuration as a whole.
func configVerbs() []*verb {
	fileArg := arg{name: "file", help: "A file of this machine", expected: "a path", values: files}
	needed := fileArg
	needed.required = true
	comment := arg{name: "comment", help: "Kept in the history", expected: "text"}
	within := arg{name: "confirm", spaced: true, expected: "a time such as 5m", values: words("1m", "5m", "10m"),
		help: "Go back after this time, unless config confirm comes before"}
	return []*verb{
		{words: "config save", run: (*Shell).configSave, args: []arg{fileArg},
			help: "Write the configuration, secrets included, to file=PATH or to the output"},
		{words: "config restore", run: (*Shell).configRestore, args: []arg{needed},
			help: "Add what config save wrote to what runs; carry out other commands one by one"},
		{words: "config check", run: (*Shell).configCheck, args: []arg{fileArg},
			help: "Look for faults in a file, or in the daemon's own"},
		{words: "config diff", run: (*Shell).configDiff, rest: "[REVISION]", values: revisions,
			args: []arg{fileArg},
			help: "What loading a file, a revision or the daemon's own file would change"},
		{words: "config reload", run: (*Shell).configReload, args: []arg{within, comment},
			help: "Load the daemon's own file: what did not change in it goes on undisturbed"},
		{words: "config load", run: (*Shell).configLoad,
			args: []arg{needed, {name: "merge", flag: true,
				help: "Add it to what runs instead of replacing that"}, within, comment},
			help: "Make a file the running configuration"},
		{words: "config commit", run: (*Shell).configCommit, args: []arg{fileArg, within, comment},
			help: "Make what runs permanent; or, with confirm, try the file for a while"},
		{words: "config confirm", run: (*Shell).configConfirm,
			help: "Keep a configuration that would go back by itself"},
		{words: "config history", run: (*Shell).configHistory, also: []string{"show history"},
			help: "Configurations that once ran, the newest first"},
		{words: "config show", run: (*Shell).configShow, rest: "[REVISION]", values: revisions,
			help: "The text of a revision, or of what runs, without secrets"},
		{words: "config rollback", run: (*Shell).configRollback, rest: "REVISION", values: revisions,
			args: []arg{within, comment},
			help: "Make a revision of the history the running configuration"},
		{words: "config import", run: (*Shell).configImport, rest: "DAEMON FILE...",
			values: importable, args: []arg{
				{name: "file", help: "Save the commands there", expected: "a path", values: files},
				{name: "merge", flag: true, help: "Carry the commands out at once, all or none"}},
			help: "Turn the configuration of another daemon into ours: " + orList(importer.Daemons())},
		{words: "write memory", run: (*Shell).writeMemory, args: []arg{comment},
			also: []string{"write", "copy running-config startup-config"},
			help: "Save what runs into the daemon's own file"},
		{words: "write terminal", run: (*Shell).configShow, help: "Show what runs"},
		{words: "show running-config", run: (*Shell).configShow,
			also: []string{"show configuration"},
			help: "What is configured, as commands, without secrets"},
	}
}

// configSave writes the configuration, secrets included.
func (s *Shell) configSave(c *call) error {
	client, err := s.daemon()
	if err != nil {
		return err
	}
	r, err := client.Save(c.ctx, connect.NewRequest(&api.SaveRequest{}))
	if err != nil {
		return explain(s.Server, err)
	}
	path := c.given["file"]
	if path == "" {
		_, err = io.WriteString(s.out, r.Msg.GetText())
		return err
	}
	if err := writePrivate(path, []byte(r.Msg.GetText())); err != nil {
		return fmt.Errorf("saving the configuration: %w", err)
	}
	return nil
}

// source is what a command about a configuration is to take: the file or
// revision that it names, or else the daemon's own file.
func (c *call) source() (*api.Source, error) {
	if path, ok := c.given["file"]; ok {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading the configuration: %w", err)
		}
		return &api.Source{From: &api.Source_Text{Text: string(text)}, Name: path}, nil
	}
	if len(c.rest) > 0 {
		n, err := c.revision()
		return &api.Source{From: &api.Source_Revision{Revision: n}}, err
	}
	return &api.Source{From: &api.Source_File{File: true}}, nil
}

// revision is the number of the revision that a command names.
func (c *call) revision() (uint32, error) {
	text, err := c.one()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0, usagef("%s %s: expected the number of a revision; config history lists them",
			c.verb.words, text)
	}
	return uint32(n), nil
}

// seconds reads a time such as 90, 90s or 5m.
func seconds(text string) (uint32, error) {
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return uint32(n), nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Second || d > 30*24*time.Hour {
		return 0, usagef("%s: expected a time such as 90s, 5m or 1h", text)
	}
	return uint32(d / time.Second), nil
}

func (s *Shell) configReload(c *call) error { return s.load(c, false) }

func (s *Shell) configLoad(c *call) error { return s.load(c, false) }

func (s *Shell) configRollback(c *call) error {
	if _, err := c.revision(); err != nil {
		return err
	}
	return s.load(c, false)
}

// configCommit makes what runs permanent. With "confirm TIME", or with a file,
// it loads the file as config load does.
func (s *Shell) configCommit(c *call) error {
	if !c.has("confirm") && !c.has("file") {
		return s.writeMemory(c)
	}
	return s.load(c, true)
}

// load loads a configuration. Somebody at a terminal is asked before sessions
// are dropped, or, if always is set, before anything changes.
func (s *Shell) load(c *call, always bool) error {
	src, err := c.source()
	if err != nil {
		return err
	}
	req := &api.LoadConfigRequest{Source: src, Comment: c.given["comment"], Merge: c.has("merge")}
	if text, ok := c.given["confirm"]; ok {
		if req.ConfirmWithin, err = seconds(text); err != nil {
			return err
		}
	}
	if err := s.askBeforeLoad(c, src, always); err != nil {
		return err
	}
	client, err := s.daemon()
	if err != nil {
		return err
	}
	r, err := client.LoadConfig(c.ctx, connect.NewRequest(req))
	if err != nil {
		return explain(s.Server, err)
	}
	s.values.forget()
	return s.loaded(r.Msg, req.ConfirmWithin)
}

// askBeforeLoad says what would change and asks. A merge cannot be looked at
// beforehand: it only adds.
func (s *Shell) askBeforeLoad(c *call, src *api.Source, always bool) error {
	if !s.asks() || c.has("merge") {
		return nil
	}
	r, err := s.check(c, src)
	if err != nil || len(r.GetFaults()) > 0 {
		return err
	}
	dropped := uint32(0)
	for _, change := range r.GetChanges() {
		dropped += change.GetSessionsDropped()
	}
	switch {
	case dropped > 0:
		if err := s.showChanges(r.GetChanges()); err != nil {
			return err
		}
		return s.sure(c.ctx, "%s will be dropped.", count(int(dropped), "session"))
	case always && len(r.GetChanges()) > 0:
		if err := s.showChanges(r.GetChanges()); err != nil {
			return err
		}
		return s.sure(c.ctx, "%s will be made.", count(len(r.GetChanges()), "change"))
	}
	return nil
}

// loaded says what came of loading.
func (s *Shell) loaded(r *api.LoadConfigResponse, within uint32) error {
	if s.format != "table" {
		if err := s.writeMessage(r); err != nil {
			return err
		}
	}
	if len(r.GetFaults()) > 0 {
		return s.faults(r.GetFaults())
	}
	s.warn(r.GetWarnings())
	if s.format == "table" {
		if err := s.say("%s made; revision %d runs", count(len(r.GetChanges()), "change"),
			r.GetRevision()); err != nil {
			return err
		}
		if within > 0 && len(r.GetChanges()) > 0 { // else there is nothing to confirm
			if err := s.say("it goes back in %s unless config confirm comes before",
				spell(uint64(within))); err != nil {
				return err
			}
		}
	}
	for _, failure := range r.GetFailures() {
		fmt.Fprintln(s.Stderr, printable(failure))
	}
	if n := len(r.GetFailures()); n > 0 {
		return fmt.Errorf("%s could not be carried out", count(n, "change"))
	}
	return nil
}

func (s *Shell) configConfirm(c *call) error {
	client, err := s.daemon()
	if err != nil {
		return err
	}
	r, err := client.ConfirmConfig(c.ctx, connect.NewRequest(&api.ConfirmConfigRequest{}))
	if err != nil {
		return explain(s.Server, err)
	}
	return s.say("revision %d stays", r.Msg.GetRevision())
}

func (s *Shell) writeMemory(c *call) error {
	client, err := s.daemon()
	if err != nil {
		return err
	}
	r, err := client.WriteConfig(c.ctx, connect.NewRequest(
		&api.WriteConfigRequest{Comment: c.given["comment"]}))
	if err != nil {
		return explain(s.Server, err)
	}
	s.warn(r.Msg.GetWarnings())
	return s.say("saved to %s as revision %d", r.Msg.GetFile(), r.Msg.GetRevision())
}
