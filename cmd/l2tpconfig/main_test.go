package main

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"culvert/internal/commit"
	"culvert/internal/config"
	"culvert/internal/event"
	"culvert/internal/management"
	"culvert/internal/management/managementtest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"l2tpconfig": main})
}

// Scripts run against a daemon without an engine, whose socket is $SOCK.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "testdata",
		Setup: serve,
		Cmds:  map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// exits CODE PROGRAM ARG... runs a program that must end with that code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%s: %v", strings.Join(args[1:], " "), err)
		}
		code = exit.ExitCode()
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("%s: exit code %d, want %s", strings.Join(args[1:], " "), code, args[0])
	}
}

func serve(env *testscript.Env) error {
	env.Setenv("HOME", env.WorkDir)
	socket := filepath.Join(env.WorkDir, "sock")
	env.Setenv("SOCK", socket)
	l, err := management.Listen(socket)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	store, backend := config.NewStore("machine"), &managementtest.Fake{}
	srv := &management.Server{
		Store:   store,
		Backend: backend,
		Version: "test",
		Config: commit.New(commit.Options{Store: store, Backend: backend,
			File: filepath.Join(env.WorkDir, "daemon.conf")}),
		Events: event.NewLog(100),
	}
	management.TellObjects(store, srv.Events)
	go func() { done <- management.Serve(ctx, l, srv) }()
	env.Defer(func() {
		cancel()
		<-done
	})
	return nil
}
