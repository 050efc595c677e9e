package main

import (
	"os"
	"testing"
)

func TestCurrent(t *testing.T) {
	have, err := os.ReadFile("../../../docs/reference.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != manual() {
		t.Error("docs/reference.md is not what the schema says: run go generate ./api")
	}
}
