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
		{syscall.EACCES, "permission denied: expected to be run by the user who runs culvertd"},
		{fs.ErrPermission, "permission denied: expected to be run by the user who runs culvertd"},
		{syscall.ENOENT, "culvertd is not running there: expected it to be started, or --socket PATH"},
		{syscall.ECONNREFUSED, "culvertd is not running there: expected it to be started, or --socket PATH"},
		{syscall.EMFILE, "too many open files"},
	}
	for _, tt := range tests {
		err := fmt.Errorf("wrapped: %w", &net.OpError{Op: "dial", Err: tt.err})
		if got := explain("/s", err).Error(); got != "connecting to /s: "+tt.want {
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
		s := &Shell{Output: output, Stdout: &b}
		if err := s.show(m, nil); err != nil {
			t.Fatal(err)
		}
		l := newListing(output, &b, schema.KindOf(m))
		if err := l.page([]*api.Object{schema.Wrap(m)}); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(b.String(), "\x1b\u009b") {
			t.Errorf("%s: %q", output, b.String())
		}
	}
}
