package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func (s *stage) file(name string) string { return filepath.Join(s.dir, name) }

func (s *stage) program(name string) string { return filepath.Join(s.bin, name) }

// command prints a command as one would type it.
func (s *stage) command(name string, args ...string) {
	line := strings.Join(append([]string{name}, args...), " ")
	line = strings.ReplaceAll(line, s.bin+"/", "")
	line = strings.ReplaceAll(line, s.dir+"/", "")
	fmt.Fprintf(s.out, "$ %s\n", line)
}

// show runs commands, one after the other, and prints each with its output.
func (s *stage) show(lines ...string) error {
	for _, line := range lines {
		words := strings.Fields(line)
		if err := s.run(exec.CommandContext(s.ctx, words[0], words[1:]...), ""); err != nil {
			return err
		}
	}
	return nil
}

// l2tpconfig runs a command line of l2tpconfig against the daemon that its
// first word names, and prints the lines of its output that contain match.
func (s *stage) l2tpconfig(line string, match ...string) error {
	words := strings.Fields(line)
	args := append([]string{"--socket", s.file(words[0] + ".sock")}, words[1:]...)
	return s.run(exec.CommandContext(s.ctx, s.program("l2tpconfig"), args...), strings.Join(match, ""))
}

func (s *stage) run(cmd *exec.Cmd, match string) error {
	s.command(filepath.Base(cmd.Args[0]), cmd.Args[1:]...)
	out, err := cmd.CombinedOutput()
	for text := range bytes.Lines(out) {
		if strings.Contains(string(text), match) {
			fmt.Fprintf(s.out, "  %s", text)
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
	}
	return nil
}

// wait waits until done, for 30 s at most.
func (s *stage) wait(what string, done func() bool) error {
	limit := time.After(30 * time.Second)
	for !done() {
		select {
		case <-time.After(50 * time.Millisecond):
		case <-limit:
			return fmt.Errorf("waited 30 s for %s", what)
		case <-s.ctx.Done():
			return s.ctx.Err()
		}
	}
	return nil
}

// printLogs prints what the daemons logged, when something went wrong.
func (s *stage) printLogs() {
	for _, name := range []string{"lns", "lac"} {
		if log, err := os.ReadFile(s.file(name + ".log")); err == nil {
			fmt.Fprintf(s.out, "\n%s.log:\n%s", name, indent(string(log)))
		}
	}
}

// clear ends the daemons and removes the hosts.
func (s *stage) clear() {
	for _, d := range s.daemons {
		if d.ProcessState == nil {
			d.Process.Signal(syscall.SIGTERM)
			d.Wait()
		}
	}
	for _, host := range []string{lnsHost, lacHost} {
		exec.Command("ip", "netns", "delete", host).Run()
	}
	os.RemoveAll(s.dir)
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n  ") + "\n"
}
