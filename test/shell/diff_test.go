package shell_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// What goes is only named; what is new is told with what it has; what changes, with both.
func TestDiff(t *testing.T) {
	d := serve(t, "user create user_name=old user_password=x\n"+
		"tunnel profile modify profile_name=default mtu=1400 hello_timeout=5\n")
	file := filepath.Join(t.TempDir(), "next")
	err := os.WriteFile(file, []byte("user create user_name=new user_password=y\n"+
		"tunnel profile modify profile_name=default mtu=1300\n"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	const want = `~ tunnel profile "default"
    hello_timeout: 5 -> not set
    mtu: 1400 -> 1300
- user "old"
+ user "new"
    user_name: new
    user_password: ********
`
	if got := d.does("config", "diff", "file="+file); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A message that is longer than a line is broken at a blank.
func TestLongMessages(t *testing.T) {
	term := serve(t, "").shell(start{width: 96})
	term.endsWith(prompt)
	term.press("show zzz\r")
	term.endsWith(prompt)
	term.until("the rest in a line of its own", func(lines []string) bool {
		return slices.Contains(lines, "running-config, version, uptime or counters")
	})
}
