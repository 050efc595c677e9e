package shell_test

import "testing"

func TestX(t *testing.T) {
	d := serve(t, "user create user_name=alice user_password=x\n")
	term := d.shell(start{})
	term.endsWith("l2tp>")
	t.Log(term.asks("l2tp> ", "user list"))
	term.press("tu\tl\t")
	term.endsWith("l2tp> tunnel list")
	term.press(" ?")
	term.sees("-- more")
	term.press("q")
	term.endsWith("l2tp> tunnel list")
	for _, l := range term.lines() {
		t.Log(l)
	}
	term.press("\x03")
	for _, c := range []string{"terminal length 0", "show uptime", "show version", "help", "config history", "config diff", "tunel list", "show tunnel profile default", "system show status"} {
		for _, l := range term.asks("l2tp> ", c) {
			t.Log(l)
		}
	}
}
