package config_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"culvert/internal/config"
)

const everything = `
system modify max_tunnels=5 log_level=debug
peer profile create profile_name=peer peer_ipaddr=192.0.2.0 netmask=24 tunnel_profile_name=tp
tunnel profile create profile_name=tp secret="a \\"'"' auth_mode=challenge our_udp_port=ephemeral
session profile create profile_name=empty
ppp profile modify profile_name=default ip_pool_name=p auth_pap=no
pool create pool_name=p addresses=10.0.0.0/24,10.0.1.1-10.0.1.9 reserved=10.0.0.1
user create user_name="J. Doe" user_password=";#
\" ip_pool_name=p
tunnel create tunnel_name=t dest_ipaddr=::1
session create tunnel_name=t session_name=s user_name=u
session create tunnel_name=t user_name=v
`

// What is saved says the same, and is saved in the same form again.
func TestFormatRoundTrip(t *testing.T) {
	first := config.Format(load(t, everything).Snapshot())
	again := load(t, string(first)).Snapshot()
	if second := config.Format(again); !bytes.Equal(first, second) {
		t.Errorf("saved:\n%s\nthen:\n%s", first, second)
	}
	if u, _ := again.User("J. Doe"); string(u.Password) != ";#\n\\" {
		t.Errorf("password = %q", string(u.Password))
	}
	if len(again.Sessions()) != 2 {
		t.Errorf("%d sessions, want 2", len(again.Sessions()))
	}
}

// No way of printing what the engine has shows a secret.
func TestSecretsDoNotPrint(t *testing.T) {
	s := load(t, "user create user_name=u user_password=swordfish").Snapshot()
	u, _ := s.User("u")
	for _, text := range []string{fmt.Sprint(u), fmt.Sprintf("%+v", u), fmt.Sprintf("%#v", u)} {
		if strings.Contains(text, "swordfish") || !strings.Contains(text, "***") {
			t.Error(text)
		}
	}
}

func TestApplyAllOrNothing(t *testing.T) {
	s := load(t, everything)
	var changes int
	s.Subscribe(func(old, new *config.Snapshot) {
		if old == new {
			t.Error("nothing changed")
		}
		changes++
	})
	before := s.Snapshot()
	for _, text := range []string{
		"user create user_name=x user_password=x\nuser create user_name=x user_password=x",
		"user create user_name=x user_password=x\npeer profile modify profile_name=default tunnel_profile_name=q",
		"user create user_name=x user_password=x\nsystem modify max_tunnels",
	} {
		if err := s.Load("f", []byte(text)); err == nil || !strings.HasPrefix(err.Error(), "f:2:") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if s.Snapshot() != before || changes != 0 {
		t.Error("a wrong batch changed the configuration")
	}
	if err := s.Load("f", []byte("user delete user_name=\"J. Doe\"; pool create pool_name=q addresses=10.9.0.1")); err != nil {
		t.Fatal(err)
	}
	if _, still := before.User("J. Doe"); !still || changes != 1 {
		t.Error("a snapshot changed, or nobody was told")
	}
	if _, still := s.Snapshot().User("J. Doe"); still {
		t.Error("a deleted user is there")
	}
}

func TestDeleteTunnelTakesSessions(t *testing.T) {
	s := load(t, everything)
	if err := s.Load("f", []byte("tunnel delete tunnel_name=t")); err != nil {
		t.Fatal(err)
	}
	if n := len(s.Snapshot().Sessions()); n != 0 {
		t.Errorf("%d sessions without a tunnel", n)
	}
}

func BenchmarkLoad30000Users(b *testing.B) {
	var text strings.Builder
	for i := range 30000 {
		fmt.Fprintf(&text, "user create user_name=u%d user_password=p%d\n", i, i)
	}
	for b.Loop() {
		if err := config.NewStore("m").Load("f", []byte(text.String())); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkIncomingSession(b *testing.B) {
	s := config.NewStore("m").Snapshot()
	tunnel := s.SelectPeer("", from("192.0.2.1")).Tunnel
	for b.Loop() {
		s.IncomingSession(tunnel, 3, nil)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(everything)
	f.Add("tunnel profile modify profile_name=default hide_avps=yes secret=x")
	f.Add("session create tunnel_id=7 session_id=1\ntunnel create tunnel_id=7 dest_ipaddr=a")
	f.Fuzz(func(t *testing.T, text string) {
		s := config.NewStore("m")
		before := s.Snapshot()
		if err := s.Load("f", []byte(text)); err != nil {
			if s.Snapshot() != before {
				t.Fatalf("a wrong configuration was applied: %v", err)
			}
			if strings.Contains(err.Error(), "\n") && !strings.Contains(text, "\n") {
				t.Fatalf("an error of several lines: %q", err)
			}
			return
		}
		first := config.Format(s.Snapshot())
		again := config.NewStore("m")
		if err := again.Load("g", first); err != nil {
			t.Fatalf("%v\nwhat was saved:\n%s", err, first)
		}
		if second := config.Format(again.Snapshot()); !bytes.Equal(first, second) {
			t.Fatalf("saved:\n%s\nthen:\n%s", first, second)
		}
	})
}
