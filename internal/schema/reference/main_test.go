package main

import (
	"os"
	"testing"
)

func TestCurrent(t *testing.T) {
	for path, want := range map[string]string{
		"docs/reference.md":             manual(),
		"packaging/man/culvertd.conf.5": manPage(),
	} {
		have, err := os.ReadFile("../../../" + path)
		if err != nil {
			t.Fatal(err)
		}
		if string(have) != want {
			t.Errorf("%s is not what the schema says: run go generate ./api", path)
		}
	}
}
