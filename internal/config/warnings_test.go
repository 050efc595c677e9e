package config_test

import (
	"strings"
	"testing"

	"culvert/internal/config"
)

func TestWarnings(t *testing.T) {
	tests := []struct{ text, want string }{
		{"system modify max_tunnels=100000",
			`system: max_tunnels=100000: it counts as 65535: expected a number from 0 to 65535 or unlimited`},
		{"system modify max_tunnels=100000\nsystem modify max_tunnels=5", ``},
		{"tunnel profile create profile_name=p mtu=0",
			`tunnel profile "p": mtu=0: it counts as not set: expected a number from 68 to 65535`},
		{"tunnel profile create profile_name=p interface_name=much-too-long-%s",
			`tunnel profile "p": interface_name=much-too-long-%s: expected an interface name of at most ` +
				`15 characters, with %t and %s as long as 65535: it counts as not set`},
		{"user create user_name=u user_password=pass#word",
			`user "u": # begins a comment here; a value with # in it stands between quotes`},
		{"user create user_name=u user_password=\"pass\"#word", ``},
		{"ppp profile modify profile_name=default multilink=yes", `ppp profile "default": multilink=yes ` +
			`has no effect yet: links are not bundled, each is a network of its own`},
		{"ppp profile modify profile_name=default ip_pool_name=a; pool create pool_name=a addresses=10.0.0.1", ``},
		{"user create user_name=u user_password=x ip_pool_name=ab; pool create pool_name=a addresses=10.0.0.1",
			`user "u": ip_pool_name=ab: there is no such pool; did you mean "a"?: whoever needs an ` +
				`address from it is refused`},
		{"pool create pool_name=a addresses=10.0.0.0/24; pool create pool_name=b addresses=10.0.0.9-10.0.1.1",
			`pool "a" and pool "b" have addresses in common, which two peers can be given at once`},
		{"pool create pool_name=a addresses=10.0.0.0/24; pool create pool_name=b addresses=10.0.1.0/24", ``},
		{"peer profile create profile_name=p netmask=255.0.0.0",
			`peer profile "p": netmask=255.0.0.0 has no effect without peer_ipaddr`},
		{"peer profile create profile_name=p peer_ipaddr=10.0.0.1\npeer profile create profile_name=q peer_ipaddr=10.0.0.1",
			`peer profile "q": peer_ipaddr=10.0.0.1/32 is also that of peer profile "p", which goes before it`},
		{"tunnel profile modify profile_name=default auth_mode=challenge",
			`tunnel profile "default": auth_mode=challenge without a secret: peers that open a tunnel with it are refused`},
		{"tunnel profile modify profile_name=default hide_avps=yes",
			`tunnel profile "default": hide_avps=yes without a secret: nothing is hidden`},
		{"tunnel profile create profile_name=p interface_name=ppp0",
			`tunnel profile "p": interface_name=ppp0 without %s in it is for one session only`},
	}
	for _, tt := range tests {
		if got := strings.Join(load(t, tt.text).Snapshot().Warnings(), "\n"); got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.text, got, tt.want)
		}
	}
}

// What a file may say a command may not.
func TestOnlyFilesAreLenient(t *testing.T) {
	s := load(t, "ppp profile modify profile_name=default ip_pool_name=missing")
	for text, ok := range map[string]bool{
		"system modify max_tunnels=5":                                       true,
		"ppp profile modify profile_name=default ip_pool_name=other":        false,
		"ppp profile create profile_name=p mtu=1400":                        true,
		"ppp profile modify profile_name=p mtu=1300 ip_pool_name=missing":   false,
		"user create user_name=u user_password=p ip_pool_name=also_missing": false,
	} {
		cmds, err := config.Parse([]byte(text), nil)
		if err != nil {
			t.Fatal(err)
		}
		cmds[0].Lenient = false
		if err := s.Apply(cmds...); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// What has a name is found by its ID too, and is renamed by it with its sessions.
func TestNamesByID(t *testing.T) {
	s := load(t, `
		tunnel create tunnel_name=a tunnel_id=7 dest_ipaddr=::1
		session create tunnel_name=a session_name=s session_id=3
		session create tunnel_name=a user_name=nameless
		session create tunnel_id=7 session_name=by_id
		tunnel modify tunnel_id=7 mtu=1300
		session modify tunnel_id=7 session_id=3 reorder_timeout=5
		session modify tunnel_name=a session_name=by_id reorder_timeout=6
		session delete tunnel_id=7 session_name=by_id
		tunnel modify tunnel_id=7 tunnel_name=b
		session modify tunnel_name=b session_id=3 session_name=r
		session modify tunnel_name=b session_name=r trace_flags=1
	`).Snapshot()
	want := `# tunnel

tunnel create tunnel_name=b \
	tunnel_id=7 \
	dest_ipaddr=::1 \
	mtu=1300

# session

session create tunnel_name=b \
	session_name=r \
	session_id=3 \
	reorder_timeout=5 \
	trace_flags=protocol

session create tunnel_name=b \
	user_name=nameless

`
	if got := string(config.Format(s)); got != want {
		t.Errorf("got:\n%s", got)
	}
	if s := load(t, string(config.Format(s))+"tunnel delete tunnel_id=7").Snapshot(); len(s.Sessions()) > 0 {
		t.Errorf("sessions without a tunnel: %v", s.Sessions())
	}
}

// What is said of a file is said once, however often that is loaded.
func TestWarningsAreToldOnce(t *testing.T) {
	s := load(t, "")
	for range 3 {
		if err := s.Load("x", []byte("system modify max_tunnels=100000")); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.Snapshot().Warnings(); len(got) != 1 {
		t.Errorf("warnings %q", got)
	}
}
