package shell

import (
	"bytes"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"syscall"
	"testing"

	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/internal/schema"
)

func TestExplain(t *testing.T) {
	tests := []struct {
		err  error
		want string
	}{
		{syscall.EACCES, "permission denied: expected to be root, the user who runs culvertd, or in the socket's group"},
		{fs.ErrPermission, "permission denied: expected to be root, the user who runs culvertd, or in the socket's group"},
		{syscall.ENOENT, "culvertd is not running there: expected it to be started, or --socket PATH"},
		{syscall.ECONNREFUSED, "culvertd is not running there: expected it to be started, or --socket PATH"},
		{syscall.EMFILE, "too many open files"},
	}
	for _, tt := range tests {
		err := fmt.Errorf("wrapped: %w", &net.OpError{Op: "dial", Err: tt.err})
		if got := explain(Server{Socket: "/s"}, err).Error(); got != "connecting to /s: "+tt.want {
			t.Errorf("%v: %s", tt.err, got)
		}
	}
}

// A peer's Host Name cannot drive the terminal, in whichever form it is printed.
func TestHostileNames(t *testing.T) {
	for _, output := range Outputs {
		var b bytes.Buffer
		m := &api.Tunnel{
			TunnelId: proto.Uint32(1),
			Status:   &api.TunnelStatus{PeerHostName: "a\x1b[2J\nb: \"c\u009b"},
		}
		s := &Shell{format: output, out: &b}
		if err := s.show(m, nil, nil); err != nil {
			t.Fatal(err)
		}
		if err := s.listing(schema.KindOf(m)).page([]proto.Message{m}); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(b.String(), "\x1b\u009b") {
			t.Errorf("%s: %q", output, b.String())
		}
	}
}
