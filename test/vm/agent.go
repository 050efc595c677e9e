package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

// agentName is argument 0 of the process that runs the command.
const agentName = "culvert-vm-agent"

const guestPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Output that a left-over background process holds open is waited for no
// longer than this once the command itself has ended.
const outputWait = 2 * time.Second

// agentMain runs the job in its argument and reports on file 3.
func agentMain(conf string) error {
	var j job
	if err := json.Unmarshal([]byte(conf), &j); err != nil {
		return fmt.Errorf("reading the job: %w", err)
	}
	results := os.NewFile(3, "results")
	syscall.CloseOnExec(3)
	r := report{Done: true}
	exit, err := runJob(j)
	if err != nil {
		r.Err = err.Error()
	}
	r.Exit = exit
	return json.NewEncoder(results).Encode(r)
}

func runJob(j job) (exit int, err error) {
	if err := loadModules(j.Modules); err != nil {
		return 0, err
	}
	cmd := exec.Command(j.Args[0], j.Args[1:]...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = j.Dir, j.Env, outputWait
	if err := connectOutput(cmd, j.Shell); err != nil {
		return 0, err
	}
	err = cmd.Run()
	var exited *exec.ExitError
	switch {
	case errors.As(err, &exited):
		return exitCode(exited.Sys().(syscall.WaitStatus)), nil
	case errors.Is(err, exec.ErrWaitDelay):
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("running %s: %w", j.Args[0], err)
	}
	return 0, nil
}

// exitCode is the shell's: 128 and the signal's number where there is one.
func exitCode(s syscall.WaitStatus) int {
	if s.Signaled() {
		return 128 + int(s.Signal())
	}
	return s.ExitStatus()
}

// connectOutput gives the command pipes, not the ports themselves: a port can
// be opened once only, so that /dev/stderr would fail.
func connectOutput(cmd *exec.Cmd, shell bool) error {
	if shell {
		return connectTerminal(cmd)
	}
	out, err := openPort(portOut)
	if err != nil {
		return err
	}
	stderr, err := openPort(portErr)
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = writer{out}, writer{stderr}
	return nil
}

// A writer hides that it is a file, so that os/exec makes a pipe.
type writer struct{ f *os.File }

func (w writer) Write(p []byte) (int, error) { return w.f.Write(p) }

func connectTerminal(cmd *exec.Cmd) error {
	signal.Ignore(syscall.SIGINT)
	tty, err := os.OpenFile("/dev/hvc0", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return fmt.Errorf("opening the terminal: %w", err)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	return nil
}

// loadModules loads modules by name: the kernel's own loading on demand does
// not cover all of them.
func loadModules(names []string) error {
	if len(names) == 0 {
		return nil
	}
	out, err := exec.Command("modprobe", append([]string{"-a"}, names...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("loading modules: %w: %s", err, out)
	}
	return nil
}
