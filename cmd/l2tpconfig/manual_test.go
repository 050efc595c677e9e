package main

import (
	"os"
	"regexp"
	"testing"

	"github.com/spf13/pflag"

	"culvert/internal/shell"
)

// TestManualHasEveryFlag: l2tpconfig(1) has what l2tpconfig takes, and no more.
func TestManualHasEveryFlag(t *testing.T) {
	text, err := os.ReadFile("../../packaging/man/l2tpconfig.1")
	if err != nil {
		t.Fatal(err)
	}
	documented := make(map[string]string) // letters by names
	item := regexp.MustCompile(`(?m)^\.It Fl (?:([A-Za-z]) , )?-([a-z-]+)`)
	for _, m := range item.FindAllStringSubmatch(string(text), -1) {
		documented[m[2]] = m[1]
	}
	cmd := newCommand(new(shell.Shell), nil, nil, nil, nil)
	cmd.InitDefaultHelpFlag()
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		if letter, ok := documented[f.Name]; !ok || letter != f.Shorthand {
			t.Errorf("l2tpconfig.1 has --%s as %q, %v, want letter %q", f.Name, letter, ok, f.Shorthand)
		}
		delete(documented, f.Name)
	})
	for name := range documented {
		t.Errorf("l2tpconfig.1 has --%s, which is no flag", name)
	}
}
