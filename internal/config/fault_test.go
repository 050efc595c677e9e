package config_test

import (
	"fmt"
	"strings"
	"testing"

	"culvert/api"
	"culvert/internal/config"
	"culvert/internal/schema"
)

// All faults of a text are found at once, each at its place: of the language
// first, and when that is right those of commands, then those of the whole.
func TestFaults(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"language", "tunnel profile create profile_name=a hello_timeout=x mtu=y\n=1 a\n" +
			"\tsystem modify \\\n\t\tmax_tunel=1\nuser create user_name=u", `
1:52 hello_timeout=x: expected a number from 0 to 86400 or off
1:58 mtu=y: expected a number from 68 to 65535
2:1 expected the name of a parameter before "="
4:3 unknown parameter of system "max_tunel"; did you mean "max_tunnels"?
5:1 user create: expected user_password=VALUE: The password of the user`},
		{"commands", "user delete user_name=a\nuser create user_name=b user_password=x\n" +
			"user create user_name=b user_password=x", `
1:13 there is no user "a"
3:13 user "b" exists already`},
		{"whole", "peer profile create profile_name=p ppp_profile_name=x\n" +
			"tunnel profile create profile_name=t session_profile_name=y\n" +
			"pool create pool_name=q addresses=10.0.0.1", `
1:36 peer profile "p": ppp_profile_name=x: there is no such ppp profile
2:38 tunnel profile "t": session_profile_name=y: there is no such session profile`},
		{"a quote is missing", "system modify host_name=\"lns\nuser create user_name=\"u user_password=p", `
2:26 unknown parameter of system "user_password": expected one of its 25; is a quote missing in line 1?`},
		{"characters", "user create user_name=\"жук\" password=x", `
1:29 unknown parameter of user "password"; did you mean "user_password"?`},
		{"byte order mark", "\ufeffsystem modify mtu=7", `
1:15 unknown parameter of system "mtu": expected one of its 25`},
		{"identifiers", "tunnel create tunnel_name=a tunnel_id=7 dest_ipaddr=::1\n" +
			"tunnel create tunnel_name=b tunnel_id=7 dest_ipaddr=::1\n" +
			"session create tunnel_name=a session_id=1\nsession create tunnel_name=b session_id=1\n" +
			"session create tunnel_id=7 session_name=x session_id=1", `
2:29 tunnel "b": tunnel_id=7 is also that of tunnel "a"
5:43 session "7/x": session_id=1 is also that of session "a/1"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := config.NewStore("m").Load("f", []byte(tt.text))
			var lines strings.Builder
			for _, f := range config.Faults("g", err) {
				if f.GetFile() != "f" {
					t.Errorf("file = %s", f.GetFile())
				}
				fmt.Fprintf(&lines, "\n%d:%d %s", f.GetLine(), f.GetColumn(), f.GetMessage())
			}
			if lines.String() != tt.want {
				t.Errorf("got  %s\nwant %s", lines.String(), tt.want)
			}
		})
	}
}

// What is not of a file has no place, and what knows no file gets one.
func TestFaultsElsewhere(t *testing.T) {
	_, err := config.Parse([]byte("\nx"), nil)
	if fs := config.Faults("g", err); len(fs) != 1 || fs[0].GetFile() != "g" || fs[0].GetLine() != 2 {
		t.Errorf("faults = %v", fs)
	}
	m := &api.PPPProfile{ProfileName: new("default"), IpPoolName: new("none")}
	err = config.NewStore("m").Apply(schema.Command{Op: schema.Modify, Kind: schema.KindOf(m), Object: m})
	want := `ppp profile "default": ip_pool_name=none: there is no such pool`
	if err == nil || err.Error() != want || config.Faults("", err)[0].GetLine() != 0 {
		t.Errorf("error = %v, want %s", err, want)
	}
	if config.Faults("", nil) != nil {
		t.Error("faults of nothing")
	}
}

// No piece of a secret is in an error, however it was written.
func TestFaultsHideSecrets(t *testing.T) {
	for _, text := range []string{
		"user create user_name=u user_password=my swordfish",
		"user create user_name=u user_password = my swordfish ipaddr=1",
		"tunnel profile create profile_name=p secret=my swordfish=x",
	} {
		err := config.NewStore("m").Load("f", []byte(text))
		if err == nil || strings.Contains(fmt.Sprint(config.Faults("", err)), "swordfish") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
