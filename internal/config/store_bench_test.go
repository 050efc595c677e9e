package config_test

import (
	"fmt"
	"strings"
	"testing"

	"culvert/api"
	"culvert/internal/config"
)

// manySessions is a store with a tunnel and so many declared sessions.
func manySessions(b *testing.B, n int) *config.Store {
	b.Helper()
	var text strings.Builder
	text.WriteString("tunnel create tunnel_name=t dest_ipaddr=::1\n")
	for i := range n {
		fmt.Fprintf(&text, "session create tunnel_name=t session_name=s%d user_name=u\n", i)
	}
	s := config.NewStore("m")
	if err := s.Load("f", []byte(text.String())); err != nil {
		b.Fatal(err)
	}
	return s
}

// BenchmarkDeclare is what it costs to record one session beside 50,000 others, and
// to forget it.
func BenchmarkDeclare(b *testing.B) {
	s := manySessions(b, 50000)
	m := &api.Session{TunnelName: new("t"), SessionName: new("more")}
	for b.Loop() {
		s.Declare(m)
		s.Forget(m)
	}
}
