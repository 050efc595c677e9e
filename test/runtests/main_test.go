package main

import (
	"errors"
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
