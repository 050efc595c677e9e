package shell

import (
	"io"
	"strconv"
)

// ownVerbs concern the shell itself.
func ownVerbs() []*verb {
	return []*verb{
		{words: "help", run: (*Shell).runHelp, nested: true, rest: "[COMMAND...]",
			help: "Explain a command: help COMMAND, or ? anywhere in a line"},
		{words: "exit", also: []string{"logout"}, run: (*Shell).exit,
			help: "Leave configuration mode, or the shell"},
		{words: "quit", run: (*Shell).exit, help: "Leave configuration mode, or the shell"},
		{words: "end", run: (*Shell).end, help: "Leave configuration mode", hidden: true},
		{words: "configure terminal", run: (*Shell).configure,
			help: "Enter configuration mode; commands are the same"},
		{words: "terminal length", run: (*Shell).terminalLength, rest: "LINES",
			help: "0 stops paging, anything else begins it again"},
		{words: "completion", run: (*Shell).completion, rest: "bash | zsh | fish",
			values: words("bash", "zsh", "fish"),
			help:   "Print what makes a system shell complete these commands"},
		{words: "enable", run: (*Shell).nothing, hidden: true,
			help: "Nothing: what you may do depends on who you are"},
		{words: "disable", run: (*Shell).nothing, hidden: true,
			help: "Nothing: what you may do depends on who you are"},
	}
}

func (s *Shell) nothing(*call) error { return nil }

func (s *Shell) runHelp(c *call) error { return s.help(c.rest) }

func (s *Shell) configure(*call) error {
	s.configuring = true
	return nil
}

func (s *Shell) end(*call) error {
	s.configuring = false
	return nil
}

// exit leaves the mode, or the shell.
func (s *Shell) exit(*call) error {
	s.leaving = !s.configuring
	s.configuring = false
	return nil
}

func (s *Shell) terminalLength(c *call) error {
	text, err := c.one()
	if err != nil {
		return err
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return usagef("terminal length %s: expected a number of lines", text)
	}
	s.unpaged = n == 0
	return nil
}

func (s *Shell) completion(c *call) error {
	name, err := c.one()
	if err != nil {
		return err
	}
	text, ok := completionScripts[name]
	if !ok {
		return usagef("completion %s: expected bash, zsh or fish", name)
	}
	_, err = io.WriteString(s.out, text)
	return err
}
