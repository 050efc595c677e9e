package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const output = `=== RUN   TestA
--- PASS: TestA (0.00s)
=== RUN   TestB
=== RUN   TestB/one
--- FAIL: TestB (0.10s)
    --- FAIL: TestB/one (0.10s)
        b_test.go:3: want 1
--- SKIP: TestC (0.00s)
FAIL
`

func TestRead(t *testing.T) {
	var r result
	r.read(strings.NewReader(output))
	if r.passed != 1 || r.failed != 2 || r.skipped != 1 || len(r.complaints) != 3 {
		t.Errorf("read %+v, want 1 passed, 2 failed, 1 skipped", r)
	}
}

func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		name   string
		strict string
		r      result
		want   bool
	}{
		{"passed", "1", result{passed: 1}, true},
		{"failed", "", result{passed: 1, failed: 1}, false},
		{"skipped", "", result{skipped: 1}, true},
		{"skipped in CI", "1", result{skipped: 1}, false},
		{"crashed", "", result{passed: 1, err: errors.New("exit status 2")}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("CULVERT_TEST_KERNEL", c.strict)
			if got := summarize(&strings.Builder{}, []*result{&c.r}); got != c.want {
				t.Errorf("ok = %v, want %v", got, c.want)
			}
		})
	}
}

// TestRunOfPackage gives one package an expression of its own.
func TestRunOfPackage(t *testing.T) {
	bin := t.TempDir()
	script := "#!/bin/sh\necho $PWD \"$@\"\n"
	for _, name := range []string{"one", "two"} {
		if err := os.WriteFile(filepath.Join(bin, name+".test"), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(bin, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(bin)
	var out strings.Builder
	ok, err := runAll(&out, options{bin: bin, run: "A"}, []string{"./one:^TestB", "./two"})
	if err != nil || !ok {
		t.Errorf("runAll = %v, %v\n%s", ok, err, &out)
	}
	for _, want := range []string{"/one -test.v -test.timeout=0s -test.run=^TestB\n",
		"/two -test.v -test.timeout=0s -test.run=A\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
}
