package service

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestPIDFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "culvertd.pid")
	p, err := ClaimPIDFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != fmt.Sprintln(os.Getpid()) {
		t.Errorf("the file has %q, %v", b, err)
	}
	if _, err := ClaimPIDFile(path); err == nil {
		t.Error("claimed a second time while the first claim lives")
	}
	if err := p.Release(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is left: %v", err)
	}
}

func TestPIDFileOfTheLiving(t *testing.T) {
	path := filepath.Join(t.TempDir(), "culvertd.pid")
	sleeper := exec.Command("sleep", "1000")
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	defer sleeper.Wait()
	defer sleeper.Process.Kill()
	text := fmt.Sprintln(sleeper.Process.Pid)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := ClaimPIDFile(path)
	if err == nil || !strings.Contains(err.Error(), path) ||
		!strings.Contains(err.Error(), strings.TrimSpace(text)) {
		t.Errorf("error %v, want one that names the file and process %s", err, text)
	}
	if b, err := os.ReadFile(path); string(b) != text {
		t.Errorf("the file became %q, %v", b, err)
	}
}

func TestStalePIDFile(t *testing.T) {
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"dead": fmt.Sprintln(dead.Process.Pid), "empty": "", "noise": "not a number\n",
		"long": "999999999999999999999999999999999999999999\n", "own": fmt.Sprintln(os.Getpid()),
	} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := ClaimPIDFile(path); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if b, _ := os.ReadFile(path); string(b) != fmt.Sprintln(os.Getpid()) {
			t.Errorf("%s: the file has %q", name, b)
		}
	}
}

func TestPIDFileNowhere(t *testing.T) {
	_, err := ClaimPIDFile("/no/such/folder/x.pid")
	if !errors.Is(err, fs.ErrNotExist) || strings.Count(err.Error(), "/no/such") != 1 {
		t.Errorf("error %v", err)
	}
}
