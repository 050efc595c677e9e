package config_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"culvert/internal/config"
)

var update = flag.Bool("update", false, "write what is expected of testdata/broken anew")

// Each file is refused with what the file beside it says: line, column, the word,
// what was expected, and the nearest word. Nothing of it takes effect.
func TestBrokenFiles(t *testing.T) {
	paths, _ := filepath.Glob("testdata/broken/*.conf")
	if len(paths) < 10 {
		t.Fatalf("found %d files", len(paths))
	}
	for _, path := range paths {
		s := config.NewStore("machine")
		before := s.Snapshot()
		err := s.LoadFile(path)
		if s.Snapshot() != before {
			t.Errorf("%s: something changed", path)
		}
		var got strings.Builder
		for _, f := range config.Faults("", err) {
			fmt.Fprintf(&got, "%s:%d:%d: %s\n", filepath.Base(f.GetFile()), f.GetLine(),
				f.GetColumn(), f.GetMessage())
		}
		expected := strings.TrimSuffix(path, ".conf") + ".expected"
		if *update {
			if err := os.WriteFile(expected, []byte(got.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(expected)
		if err != nil {
			t.Fatal(err)
		}
		if got.String() != string(want) || len(want) == 0 {
			t.Errorf("%s\n got %s\nwant %s", path, got.String(), want)
		}
	}
}
