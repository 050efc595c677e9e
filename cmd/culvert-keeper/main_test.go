package main

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"culvert/internal/buildinfo"
	"culvert/internal/keeper"
	"culvert/test/lab"
)

// TestRun serves a client until it is told to end.
func TestRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keeper.sock")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	var stderr lab.Output
	go func() { ended <- run(ctx, []string{"--socket", path}, t.Output(), &stderr) }()
	stderr.Wait(t, 20*time.Second, "msg=serving")
	c, kept, err := keeper.Dial(path)
	if err != nil || len(kept) > 0 {
		t.Fatalf("kept %v, %v", kept, err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is left: %v", err)
	}
}

func TestErrors(t *testing.T) {
	for text, args := range map[string][]string{
		"unknown flag: --foo":         {"--foo"},
		`unexpected argument "start"`: {"start"},
		"no such file or directory":   {"--socket", filepath.Join(t.TempDir(), "none", "keeper.sock")},
	} {
		err := run(t.Context(), args, t.Output(), t.Output())
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v, want %s", args, err, text)
		}
	}
}

func TestVersion(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), []string{"--version"}, &out, t.Output()); err != nil ||
		out.String() != "culvert-keeper version "+buildinfo.Version("")+"\n" {
		t.Errorf("%q, %v", &out, err)
	}
}

// TestManualHasEveryFlag: culvert-keeper(8) has what the program takes, and no more.
func TestManualHasEveryFlag(t *testing.T) {
	text, err := os.ReadFile("../../packaging/man/culvert-keeper.8")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\.It Fl (?:[a-z] , )?-([a-z-]+)`).FindAllStringSubmatch(string(text), -1) {
		documented[m[1]] = true
	}
	delete(documented, "help")
	newFlags().VisitAll(func(f *pflag.Flag) {
		if !documented[f.Name] {
			t.Errorf("culvert-keeper.8 lacks --%s", f.Name)
		}
		delete(documented, f.Name)
	})
	for name := range documented {
		t.Errorf("culvert-keeper.8 has --%s, which is no flag", name)
	}
}
