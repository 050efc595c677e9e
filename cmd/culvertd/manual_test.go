package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// TestManualHasEveryFlag: culvertd(8) has what culvertd takes, and no more.
func TestManualHasEveryFlag(t *testing.T) {
	text, err := os.ReadFile("../../packaging/man/culvertd.8")
	if err != nil {
		t.Fatal(err)
	}
	documented := make(map[string]string) // letters by names
	item := regexp.MustCompile(`(?m)^\.It Fl (?:([A-Za-z]) , )?-([a-z-]+)`)
	for _, m := range item.FindAllStringSubmatch(string(text), -1) {
		documented[m[2]] = m[1]
	}
	cmd := newCommand()
	cmd.InitDefaultHelpFlag()
	cmd.InitDefaultVersionFlag()
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		if letter, ok := documented[f.Name]; !ok || letter != f.Shorthand {
			t.Errorf("culvertd.8 has --%s as %q, %v, want letter %q", f.Name, letter, ok, f.Shorthand)
		}
		delete(documented, f.Name)
	})
	for name := range documented {
		t.Errorf("culvertd.8 has --%s, which is no flag", name)
	}
}

// TestInstalledConfiguration: what the installed file suggests is right, all of it.
func TestInstalledConfiguration(t *testing.T) {
	text, err := os.ReadFile("../../packaging/culvertd.conf")
	if err != nil {
		t.Fatal(err)
	}
	commands := regexp.MustCompile(`(?m)^#   `).ReplaceAllString(string(text), "")
	if n := strings.Count(commands, " create "); n != 4 {
		t.Errorf("%d creates are suggested, want 4", n)
	}
	for _, config := range []string{string(text), commands} {
		out, err := culvertd(t, "--check", "--config", writeConfig(t, config))
		if err != nil || out != "configuration ok\n" {
			t.Errorf("%q, %v", out, err)
		}
	}
}
