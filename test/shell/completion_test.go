package shell_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"culvert/test/lab"
)

// bash opens a bash that completes l2tpconfig.
func (d *daemon) bash(t *testing.T) *terminal {
	t.Helper()
	lab.RequireProgram(t, "bash")
	path, err := exec.LookPath("bash")
	if err != nil {
		t.Fatal(err)
	}
	term := open(t, start{program: path, args: []string{"--norc", "--noprofile"}, width: 200,
		env: []string{"PS1=bash# ", "PATH=" + programs + ":/usr/bin:/bin", "SOCK=" + d.socket}})
	term.endsWith("bash#")
	term.press("bind 'set bell-style none' 'set enable-bracketed-paste off'; source <(l2tpconfig completion bash); clear\r")
	term.until("only the prompt", func(lines []string) bool { return len(lines) == 1 && lines[0] == "bash#" })
	return term
}

func TestCompletionInBash(t *testing.T) {
	d := serve(t, office)
	term := d.bash(t)
	program := "l2tpconfig --socket " + d.socket + " "
	for _, test := range []struct{ typed, line string }{
		{"tunnel prof\tmod\t", "tunnel profile modify"},
		{"tunnel profile modify prof\t", "tunnel profile modify profile_name="},
		{"tunnel profile show profile_name=\toffici\t", "tunnel profile show profile_name=officials"},
		{"tunnel profile modify profile_name=office auth_mode=ch\t", "tunnel profile modify profile_name=office auth_mode=challenge"},
		{"show user al\t", "show user alice"},
		{"-o js\tuser li\t", "-o json user list"},
		{"--quie\tuser li\t", "--quiet user list"},
	} {
		// What TAB lists is on the screen besides: the line is its last one.
		term.press(program + test.typed)
		term.endsWith("bash# " + program + test.line)
		term.press("\x15")
		term.endsWith("bash#")
	}
	// What was completed works.
	term.press("\x0c" + program + "user show user_na\tali\t\r")
	term.sees(`user "alice"`)
}

// Fish escapes a space at the end of a candidate, which then is part of the word.
func TestCompletionInFish(t *testing.T) {
	fish, err := exec.LookPath("fish")
	if err != nil {
		t.Skip("there is no fish")
	}
	d := serve(t, office)
	cmd := exec.Command(fish, "--no-config", "-c",
		"l2tpconfig completion fish | source; complete -C 'l2tpconfig --socket "+d.socket+" tunnel prof'")
	cmd.Env = []string{"PATH=" + programs + ":/usr/bin:/bin", "HOME=" + t.TempDir(), "LANG=C.UTF-8"}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "profile\t") {
		t.Errorf("%q, %v", out, err)
	}
}

// The scripts for the other shells ask the same completer, whose answers these
// are: candidates with what follows them, and their help after a TAB.
func TestCompleter(t *testing.T) {
	d := serve(t, office)
	ask := func(line string) string {
		t.Helper()
		cmd := exec.Command(filepath.Join(programs, "l2tpconfig"), "__complete", line)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	socket := "l2tpconfig --socket " + d.socket
	for line, want := range map[string]string{
		socket + " user sh":                                "show \tShow everything about one\n",
		socket + " user show user_name=b":                  "user_name=bob \t\n",
		socket + " user show user_name=\"b":                "user_name=\"bob\" \t\n",
		"l2tpconfig --socket=" + d.socket + " show user b": "bob \t\n",
		"l2tpconfig --out":                                 "--output \tform of the output: table, json or yaml\n",
		"l2tpconfig --output y":                            "yaml \t\n",
		"l2tpconfig completion z":                          "zsh \t\n",
		"l2tpconfig --socket /no/such show user ":          "",
		"l2tpconfig config import xl":                      "xl2tpd \t\n",
	} {
		got := ask(line)
		if want == "" && strings.Contains(got, "alice") || want != "" && got != want {
			t.Errorf("__complete %q gives %q, want %q", line, got, want)
		}
	}
	for _, shell := range []string{"zsh", "fish"} {
		if out := d.does("completion", shell); !strings.Contains(out, "__complete") {
			t.Errorf("completion %s: %s", shell, out)
		}
	}
	if out, code := d.tries("completion", "tcsh"); code != 2 {
		t.Errorf("completion tcsh: %d, %s", code, out)
	}
}
