package main

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"culvert/internal/config"
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
	})
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
	srv := &management.Server{
		Store:   config.NewStore("machine"),
		Backend: &managementtest.Fake{},
		Version: "test",
	}
	go func() { done <- management.Serve(ctx, l, srv) }()
	env.Defer(func() {
		cancel()
		<-done
	})
	return nil
}
