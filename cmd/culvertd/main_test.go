package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"culvert/internal/schema"
)

// culvertd runs the program with args until it ends by itself.
func culvertd(t *testing.T, args ...string) (stdout string, err error) {
	t.Helper()
	var out, log bytes.Buffer
	err = run(context.Background(), args, &out, &log)
	return out.String(), err
}

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "culvertd.conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCheck(t *testing.T) {
	good := writeConfig(t, "user create user_name=alice user_password=x\n")
	if out, err := culvertd(t, "--check", "--config", good); err != nil || out != "configuration ok\n" {
		t.Errorf("a good configuration: %q, %v", out, err)
	}
}

// TestCheckTellsAll: every fault on a line of its own, and warnings of what is no fault.
func TestCheckTellsAll(t *testing.T) {
	var out, faults bytes.Buffer
	bad := writeConfig(t, "system modify max_tunels=1\nuser create user_name=a user_password=x\nnonsense\n")
	err := run(t.Context(), []string{"--check", "--config", bad}, &out, &faults)
	if err == nil || !strings.Contains(err.Error(), "2 faults") || strings.Count(faults.String(), "\n") != 2 ||
		!strings.Contains(faults.String(), ":1:") || !strings.Contains(faults.String(), ":3:") {
		t.Errorf("error %v, faults:\n%s", err, faults.String())
	}
	odd := writeConfig(t, "pool create pool_name=a addresses=10.0.0.0/24\n"+
		"pool create pool_name=b addresses=10.0.0.128/25\n")
	out.Reset()
	faults.Reset()
	err = run(t.Context(), []string{"--check", "--config", odd}, &out, &faults)
	if err != nil || !strings.Contains(faults.String(), "warning: ") || out.String() != "configuration ok\n" {
		t.Errorf("a configuration to be warned of: %q, %q, %v", out.String(), faults.String(), err)
	}
}

// TestBadInput: each gets one line that says what, where and what was expected.
func TestBadInput(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "socket")
	taken, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	tests := map[string]struct {
		args []string
		want []string
	}{
		"unknown flag":       {[]string{"--lisen", "::1"}, []string{"--lisen"}},
		"argument":           {[]string{"start"}, []string{"start"}},
		"data plane":         {[]string{"--dataplane", "fast", "--socket", socket}, []string{`"fast"`, "auto, kernel, tun or null"}},
		"listen":             {[]string{"--listen", "here"}, []string{`"here"`, "expected an address"}},
		"no such file":       {[]string{"--config", "/no/such.conf"}, []string{"/no/such.conf"}},
		"unknown command":    {[]string{"--check", "--config", writeConfig(t, "\ntunel create")}, []string{":2:", `"tunel"`}},
		"unknown parameter":  {[]string{"--check", "--config", writeConfig(t, "system modify max_tunels=1")}, []string{":1:", "max_tunels", "max_tunnels"}},
		"value out of range": {[]string{"--check", "--config", writeConfig(t, "ppp profile modify profile_name=default mru=7")}, []string{":1:", "mru", "128"}},
		"unknown profile":    {[]string{"--check", "--config", writeConfig(t, "peer profile create profile_name=a ppp_profile_name=b")}, []string{":1:", `b`}},
		"duplicate name":     {[]string{"--check", "--config", writeConfig(t, "user create user_name=a user_password=x\nuser create user_name=a user_password=x")}, []string{":2:", "exists already"}},
		"plugin":             {[]string{"-p", "ppp_unix.so"}, []string{"-p", "built in"}},
		"remote RPC":         {[]string{"-R"}, []string{"-R", "api_listen"}},
		"port zero":          {[]string{"-u", "0"}, []string{"--port", "1 to 65535"}},
		"port and listen":    {[]string{"-u", "1702", "--listen", "::1"}, []string{"--port", "--listen"}},
		"set-up":             {[]string{"-y", "-1"}, []string{"--max-setup", "-1"}},
		"trace":              {[]string{"-d", "protocoll"}, []string{"--trace", `"protocoll"`, "protocol"}},
		"facility":           {[]string{"-L", "local9", "--config", writeConfig(t, "")}, []string{"local9", "local7"}},
		"log":                {[]string{"--log", "paper", "--config", writeConfig(t, "")}, []string{"paper", "syslog"}},
		"pid file":           {[]string{"-P", "/no/such/culvertd.pid", "--config", writeConfig(t, "")}, []string{"/no/such/culvertd.pid"}},
		"port in use":        {[]string{"--dataplane", "null", "--socket", socket, "--config", writeConfig(t, ""), "--listen", taken.LocalAddr().String()}, []string{taken.LocalAddr().String(), "in use"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := culvertd(t, test.args...)
			if err == nil {
				t.Fatal("no error")
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("the error has several lines: %v", err)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error %q does not hold %q", err, want)
				}
			}
		})
	}
}

// TestForcedTraceFlags: what --trace says is left when debugging is switched off again.
func TestForcedTraceFlags(t *testing.T) {
	f := flags{debug: true, trace: "fsm"}
	if err := f.verifyTrace(); err != nil {
		t.Fatal(err)
	}
	if got := f.forced(true); got != schema.TraceAll {
		t.Errorf("with debugging %v are forced", got)
	}
	if got := f.forced(false); got != schema.TraceFSM {
		t.Errorf("without debugging %v are forced", got)
	}
}

func TestParseListen(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.1":          "192.0.2.1:1701",
		"192.0.2.1:99":       "192.0.2.1:99",
		"2001:db8::1":        "[2001:db8::1]:1701",
		"[2001:db8::1]":      "[2001:db8::1]:1701",
		"[2001:db8::1]:1702": "[2001:db8::1]:1702",
	} {
		if got, err := parseListen(text); err != nil || got.String() != want {
			t.Errorf("parseListen(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
}
